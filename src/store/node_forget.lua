#!lua flags=allow-oom
-- Forgets a node that has no seats. KEYS: its lease, the nodes, its seats, the claim to reap it.
-- ARGV: the node, whether to end its lease (1), or to do nothing while it lives (0). Returns 1 where it is forgotten.
if ARGV[2] == '1' then
  redis.call('DEL', KEYS[1])
end
if redis.call('EXISTS', KEYS[1], KEYS[3]) > 0 then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[4])
return 1
