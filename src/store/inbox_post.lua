#!lua
-- Puts letters of one sender into an inbox that its owner opened, each once however often it is tried.
-- KEYS: inbox, senders. ARGV: the most letters and the most bytes that it may hold, the sender by its present name and
--       by its first one, then number and payload of each letter.
-- Returns how many are in it (the first ones), or -1 where there is no inbox.
if redis.call('EXISTS', KEYS[1], KEYS[2]) < 2 then
  return -1
end
local room = tonumber(ARGV[1]) - redis.call('XLEN', KEYS[1])
local bytes = tonumber(ARGV[2]) - redis.call('MEMORY', 'USAGE', KEYS[1])
local last = tonumber(redis.call('HGET', KEYS[2], ARGV[4]) or 0)
local reached, done = last, 0
for i = 5, #ARGV, 2 do
  local number = tonumber(ARGV[i])
  if number > last then
    if room <= 0 or bytes <= 0 then
      break
    end
    redis.call('XADD', KEYS[1], '*', 'f', ARGV[3], 'k', number, 'd', ARGV[i + 1])
    room, bytes = room - 1, bytes - #ARGV[i + 1]
    reached = number
  end
  done = done + 1
end
if reached > last then
  redis.call('HSET', KEYS[2], ARGV[4], string.format('%.0f', reached))
end
return done
