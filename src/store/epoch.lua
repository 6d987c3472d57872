#!lua flags=allow-oom
-- Gives the log another epoch, if nobody else has done so.
-- KEYS: meta. ARGV: the epoch that the caller knows, a new one. Returns the one that it has now, and where the log ended
-- when that began.
local meta = KEYS[1]
if redis.call('HGET', meta, 'epoch') == ARGV[1] then
    redis.call('HSET', meta, 'epoch', ARGV[2], 'begins', redis.call('HGET', meta, 'head') or '0-0')
end
local epoch, begins = unpack(redis.call('HMGET', meta, 'epoch', 'begins'))
return epoch and {epoch, begins or '0-0'}
