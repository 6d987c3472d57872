#!lua flags=allow-oom
-- Gives the log another epoch where its Redis has come in the place of the one that had it, and may lack its last writes.
-- After a restart it has them as far as its disk does.
-- KEYS: meta. ARGV: the replication ids of this Redis, its own and the former one, and a new epoch.
local meta, own, former = KEYS[1], ARGV[1], ARGV[2]
local known, head = unpack(redis.call('HMGET', meta, 'lineage', 'head'))
if known ~= own and redis.call('EXISTS', meta) == 1 then
    redis.call('HSET', meta, 'lineage', own)
    if known == former then
        redis.call('HSET', meta, 'epoch', ARGV[3], 'begins', head or '0-0')
    end
end
