#!lua flags=allow-oom
-- Has an inbox live on. Both of its keys or none: with one alone it takes nothing, and its reader would not know.
-- KEYS: inbox, senders. ARGV: milliseconds to live.
-- Returns whether it is there.
if redis.call('EXISTS', KEYS[1], KEYS[2]) < 2 then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1
