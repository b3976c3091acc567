-- Takes one request from every quota, or from none: the same arithmetic as Local, on the server's own clock, so that all
-- replicas agree. A window is a hash from the number of a slot to what was admitted in it.
-- KEYS: one window for each quota. ARGV: for each quota its limit and the length of a slot in microseconds.
-- Returns 1 or 0, and for each quota what is used, and the microseconds until there is room and until nothing counts.
local KEPT = 61
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local allowed = 1
local answer = { 0 }
for i, key in ipairs(KEYS) do
  local limit, slot = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local current = math.floor(now / slot)
  local counts, numbers, used = {}, {}, 0
  local fields = redis.call('HGETALL', key)
  for f = 1, #fields, 2 do
    local number, count = tonumber(fields[f]), tonumber(fields[f + 1])
    if number <= current - KEPT then
      redis.call('HDEL', key, fields[f])
    else
      numbers[#numbers + 1] = number
      counts[number] = count
      used = used + count
    end
  end
  table.sort(numbers)
  local room, left = 0, used
  for _, number in ipairs(numbers) do
    if left >= limit then
      left = left - counts[number]
      room = (number + KEPT) * slot - now
    end
  end
  if used >= limit then
    allowed = 0
  end
  local reset = 0
  if #numbers > 0 then
    reset = (numbers[#numbers] + KEPT) * slot - now
  end
  answer[#answer + 1] = used
  answer[#answer + 1] = room
  answer[#answer + 1] = reset
end
answer[1] = allowed
if allowed == 1 then
  for i, key in ipairs(KEYS) do
    local slot = tonumber(ARGV[2 * i])
    local current = math.floor(now / slot)
    redis.call('HINCRBY', key, string.format('%.0f', current), 1)
    redis.call('PEXPIRE', key, math.ceil(KEPT * slot / 1000) + 1000)
    answer[3 * i - 1] = answer[3 * i - 1] + 1
    answer[3 * i + 1] = (current + KEPT) * slot - now
  end
end
return answer
