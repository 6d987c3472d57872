#!lua flags=allow-oom
-- Makes an empty inbox. KEYS: inbox, senders. ARGV: milliseconds to live.
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('XADD', KEYS[1], '0-1', 'd', '')
-- The stream stays when its last entry goes.
redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
redis.call('HSET', KEYS[2], 'open', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
