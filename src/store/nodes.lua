#!lua flags=no-writes
-- Every node that is known: its name, what it says of itself, what is left of its lease in milliseconds (negative: it is over).
-- KEYS: the nodes. ARGV: how the key of a lease starts; it is in the same slot.
local found = {}
local known = redis.call('HGETALL', KEYS[1])
for i = 1, #known, 2 do
  found[#found + 1] = { known[i], known[i + 1], redis.call('PTTL', ARGV[1] .. known[i]) }
end
return found
