#!lua
-- Appends one decision to the log and writes the state that it leads to, if nothing has changed since. It knows no
-- rule. A lease's value is its fence: what was sent earlier, and comes only now, is not taken. Positions are the log's
-- own ids: a number in Lua would lose their last digits.
-- KEYS: lease, state, log, meta, names, due, then the seats of each server that is named.
-- ARGV: epoch, version decided on, batch, events to keep, room (empty for bans), whether it exists afterwards, which
--       entry settles it (0: none), how many entries, fields to write, fields to delete, when it is due (milliseconds
--       since 1970; empty: never), the fence when it was sent; then each entry's order and payload, each field and its value, each field to delete,
--       and '1' or '0' for each server.
local lease, state, log, meta, names, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local room, exists = ARGV[5], ARGV[6] == '1'
local settles, entries = tonumber(ARGV[7]), tonumber(ARGV[8])
local written, deleted, due_at = tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]

local known = redis.call('HMGET', meta, 'epoch', 'head')
if known[1] ~= ARGV[1] then
    return {'other-epoch'}
end
local fence = redis.call('GET', lease)
if not fence then
    return {'not-live'}
end
if tonumber(ARGV[12]) < tonumber(fence) then
    return {'late'}
end
local version = redis.call('HGET', state, 'v') or '0-0'
if version ~= ARGV[2] then
    return {'conflict', version}
end
if entries == 0 then
    return {'at'}
end

-- A position has 16 bits for what comes in one millisecond. Where Redis' clock was put back, one can last for long.
local head = known[2] or '0-0'
local millisecond, sequence = string.match(head, '^(%d+)-(%d+)$')
local id = '*'
if tonumber(sequence) + entries >= 65536 then
    id = string.format('%.0f-0', tonumber(millisecond) + 1)
end

local reply, at = {'at'}, 13
for _ = 1, entries do
    id = redis.call('XADD', log, 'MAXLEN', '~', ARGV[4], id, 'n', room, 'd', ARGV[at + 1], 'b', ARGV[3],
        'i', ARGV[at], 'p', version, 'l', head)
    reply[#reply + 1] = id
    version, head, id, at = id, id, '*', at + 2
end
redis.call('HSET', meta, 'head', head)

-- Lua unpacks no more than some thousand at once.
local function in_parts(command, first, last)
    for part = first, last, 2000 do
        redis.call(command, state, unpack(ARGV, part, math.min(part + 1999, last)))
    end
end
if exists then
    local settled = settles > 0 and {'s', reply[settles + 1]} or {}
    redis.call('HSET', state, 'v', version, unpack(settled))
    in_parts('HSET', at, at + 2 * written - 1)
    in_parts('HDEL', at + 2 * written, at + 2 * written + deleted - 1)
else
    redis.call('DEL', state)
end
at = at + 2 * written + deleted
if room ~= '' and not exists then
    redis.call('ZREM', names, room)
elseif room ~= '' and ARGV[2] == '0-0' then
    redis.call('ZADD', names, 0, room)
end
if room ~= '' and exists and due_at ~= '' then
    redis.call('ZADD', due, due_at, room)
elseif room ~= '' then
    redis.call('ZREM', due, room)
end
for server = 7, #KEYS do
    redis.call(ARGV[at] == '1' and 'SADD' or 'SREM', KEYS[server], room)
    at = at + 1
end
return reply
