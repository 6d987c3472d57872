#!lua flags=allow-oom
-- Gives one node the reaping of another whose lease is over, for a time; asked again by the same one, anew.
-- KEYS: the lease of the dead, the claim. ARGV: who claims, milliseconds. Returns whether it may.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
