#!lua flags=allow-oom
-- Marks what the log has, if it is the log that the caller knows and has that entry still, or has trimmed it.
-- KEYS: log, meta. ARGV: epoch, the entry's id. Returns 1, or 0 where the entry was lost.
local log, id = KEYS[1], ARGV[2]
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[1] then
    return 0
end
local is_there = #redis.call('XRANGE', log, id, id) > 0
if not is_there and #redis.call('XRANGE', log, '-', id, 'COUNT', 1) > 0 then
    return 0
end
redis.call('HSET', KEYS[2], 'marked', id)
return 1
