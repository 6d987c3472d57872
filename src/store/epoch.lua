#!lua flags=allow-oom
-- Gives the log another epoch, if nobody else has done so.
-- KEYS: meta. ARGV: the epoch that the caller knows, a new one. Returns the one that it has now.
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
end
return redis.call('HGET', KEYS[1], 'epoch')
