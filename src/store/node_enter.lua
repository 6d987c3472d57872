#!lua flags=allow-oom
-- Makes a node known, with a lease, which has its fence: see append.lua.
-- KEYS: its lease, the nodes. ARGV: the node, what it says of itself, milliseconds.
redis.call('SET', KEYS[1], '0', 'PX', ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
