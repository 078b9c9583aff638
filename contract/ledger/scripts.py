"""The Lua scripts that change an edit: each checks its fence and acts in one step."""

# Moves an edit between states in the record and in the four indexes that list it; those that have
# ended are listed by the time at which they did.
_MOVE = """
local function index(model, status)
  return ARGV[1] .. ':model=' .. model .. ':status=' .. status
end
local function move(id, model, from, to, now)
  if from == to then return end
  redis.call('ZREM', index('*', from), id)
  redis.call('ZREM', index(model, from), id)
  redis.call('ZADD', index('*', to), 0, id)
  redis.call('ZADD', index(model, to), 0, id)
  redis.call('HSET', KEYS[1], 'status', to)
  if to == 'succeeded' or to == 'failed' or to == 'canceled' then
    redis.call('ZADD', ARGV[1] .. ':finished', 0, now .. ' ' .. id)
  end
end
"""

# KEYS edit, schema, indexes of those that wait and that run, marks of the checkpoints that it is
# built on, idempotency key (may be left out).
# ARGV schema's version, how many may wait, how many marks, then commands, each as the number of its
# words and the words. Runs them all, or none. Returns {'made', how many come before}, {'known',
# what the key made}, {'schema', the version that stands there}, {'removing', which mark stands,
# from 0}, or {'full'}.
SUBMIT = """
local before = redis.call('ZCARD', KEYS[3]) + math.min(redis.call('ZCARD', KEYS[4]), 1)
if redis.call('EXISTS', KEYS[1]) == 1 then return {'made', before - 1} end
local schema = redis.call('GET', KEYS[2])
if schema and schema ~= ARGV[1] then return {'schema', schema} end
local marks = tonumber(ARGV[3])
local known = KEYS[5 + marks] and redis.call('GET', KEYS[5 + marks])
if known then return {'known', known} end
for i = 0, marks - 1 do
  if redis.call('EXISTS', KEYS[5 + i]) == 1 then return {'removing', i} end
end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[2]) then return {'full', ''} end
if not schema then redis.call('SET', KEYS[2], ARGV[1]) end
local at = 4
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
return {'made', before}
"""

# KEYS edit, events, tally. ARGV index prefix, id, attempt ('' for any), allowed states (',a,b,'),
# target state ('' to stay), event type ('' for none), event time, event data, how many fields of
# the tally grow, then field, by how much, …, then field, value, …
# Returns 'ok', 'missing', 'fenced', or the state that stood in the way.
CHANGE = (
    _MOVE
    + """
local status, attempt, model = unpack(redis.call('HMGET', KEYS[1], 'status', 'attempt', 'model'))
if not status then return 'missing' end
if ARGV[3] ~= '' and attempt ~= ARGV[3] then return 'fenced' end
if not string.find(ARGV[4], ',' .. status .. ',', 1, true) then return status end
if ARGV[5] ~= '' then move(ARGV[2], model, status, ARGV[5], ARGV[7]) end
local fields = 10 + 2 * tonumber(ARGV[9])
for i = 10, fields - 1, 2 do redis.call('HINCRBYFLOAT', KEYS[3], ARGV[i], ARGV[i + 1]) end
for i = fields, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
if ARGV[6] ~= '' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*',
             'type', ARGV[6], 'at', ARGV[7], 'data', ARGV[8])
end
return 'ok'
"""
)

# KEYS edit, events, lease. ARGV index prefix, id, worker, lease in ms, now.
# Returns the number of the new attempt, or 0 when the edit is final, held by another, or missing.
# Asked again by the same worker, whose first answer was lost, it tells the same attempt.
CLAIM = (
    _MOVE
    + """
local status, attempt, model = unpack(redis.call('HMGET', KEYS[1], 'status', 'attempt', 'model'))
if status ~= 'queued' and status ~= 'running' then return 0 end
local holder = redis.call('GET', KEYS[3])
if status == 'running' and holder == ARGV[3] .. '#' .. attempt then return tonumber(attempt) end
if holder then return 0 end
attempt = tonumber(attempt) + 1
redis.call('SET', KEYS[3], ARGV[3] .. '#' .. attempt, 'PX', ARGV[4])
move(ARGV[2], model, status, 'running')
redis.call('HSET', KEYS[1], 'attempt', attempt, 'worker', ARGV[3], 'started_at', ARGV[5],
           'queued_reason', '', 'phase', '', 'progress', '')
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'type', 'started', 'at', ARGV[5],
           'data', cjson.encode({attempt = attempt, worker = ARGV[3]}))
return attempt
"""
)

# KEYS edit, lease. ARGV owner, attempt, lease in ms. Returns 1 while the attempt stands: a lease
# that ran out, because Redis was away, is taken again unless another attempt has begun.
RENEW = """
local status, attempt = unpack(redis.call('HMGET', KEYS[1], 'status', 'attempt'))
if attempt ~= ARGV[2] or (status ~= 'running' and status ~= 'canceling') then return 0 end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
return 1
"""

# KEYS lease. ARGV owner.
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

# KEYS edit, events, queue, job. ARGV index prefix, id, now. Returns the state before;
# those that are not final are canceled, or canceling as long as an attempt may still publish.
CANCEL = (
    _MOVE
    + """
local status, attempt, model = unpack(redis.call('HMGET', KEYS[1], 'status', 'attempt', 'model'))
if status ~= 'queued' and status ~= 'running' then return status end
local to = 'canceling'
if status == 'queued' then
  redis.call('LREM', KEYS[3], 0, ARGV[2])
  redis.call('DEL', KEYS[4])
  if attempt == '0' then
    to = 'canceled'
    redis.call('HSET', KEYS[1], 'finished_at', ARGV[3])
  end
end
move(ARGV[2], model, status, to, ARGV[3])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'type', to, 'at', ARGV[3], 'data', '{}')
return status
"""
)

# KEYS edit, events, lease. ARGV index prefix, id, now. Returns 1 if the edit waits for a worker.
STRAND = (
    _MOVE
    + """
local status, model = unpack(redis.call('HMGET', KEYS[1], 'status', 'model'))
if status ~= 'queued' and status ~= 'running' then return 0 end
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
if status == 'running' then
  move(ARGV[2], model, status, 'queued')
  redis.call('HSET', KEYS[1], 'queued_reason', 'retrying', 'phase', '', 'progress', '')
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'type', 'worker_lost', 'at', ARGV[3],
             'data', '{}')
end
return 1
"""
)

# KEYS edit, events, mark of what is gone, ended edits. ARGV index prefix, id, member of the ended,
# seconds to keep the mark.
FORGET = (
    _MOVE
    + """
redis.call('ZREM', KEYS[4], ARGV[3])
local status, model = unpack(redis.call('HMGET', KEYS[1], 'status', 'model'))
if not status then return 0 end
for _, of_model in ipairs({'*', model}) do
  redis.call('ZREM', index(of_model, '*'), ARGV[2])
  redis.call('ZREM', index(of_model, status), ARGV[2])
end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('SET', KEYS[3], '1', 'EX', ARGV[4])
return 1
"""
)
