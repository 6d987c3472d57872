#!lua flags=no-writes
-- A state, and how far the log was then.
-- KEYS: state, meta.
return {redis.call('HGET', KEYS[2], 'head') or '0-0', redis.call('HGETALL', KEYS[1])}
