#!lua flags=allow-oom
-- Looks at what is kept under a prefix, and begins it where nothing is.
-- KEYS: meta, log. ARGV: the format of this release, an epoch for a new log.
-- Returns the format, the epoch and where the log ended when that began, or nothing where others have these keys.
if redis.call('EXISTS', KEYS[1]) == 0 and redis.call('EXISTS', KEYS[2]) == 0 then
    redis.call('HSET', KEYS[1], 'format', ARGV[1], 'epoch', ARGV[2])
end
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then
    return {}
end
local kept = redis.call('HMGET', KEYS[1], 'format', 'epoch', 'begins')
if not kept[1] or not kept[2] then
    return {}
end
return {kept[1], kept[2], kept[3] or '0-0'}
