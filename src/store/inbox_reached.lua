#!lua flags=no-writes
-- The ID of the newest entry that an inbox ever had, or nil where there is no inbox. KEYS: inbox.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return false
end
local about = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #about, 2 do
  if about[i] == 'last-generated-id' then
    return about[i + 1]
  end
end
