#!lua flags=allow-oom
-- Has no append be taken any more that carries a lower number, and says where the log ends by then.
-- KEYS: lease, meta. ARGV: the number.
local fence = redis.call('GET', KEYS[1])
if fence and tonumber(fence) < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
end
return redis.call('HGET', KEYS[2], 'head') or '0-0'
