-- KEYS[1]: a sender. It holds when the sender's next request would be due at the allowed rate, in microseconds.
-- ARGV: microseconds between two requests, how many may come at once (one or more).
-- Answers 0 if the request passes, else the microseconds to wait.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local burst = tonumber(ARGV[2])

local next = tonumber(redis.call('GET', KEYS[1]) or 0)
-- Further ahead it can only be if the server's clock was set back, which must lock nobody out.
next = math.min(math.max(next, now), now + interval * burst)
local latest = now + interval * (burst - 1)
if next > latest then
  return next - latest
end
next = next + interval
if next > now then
  -- In whole digits, as servers differ in how they write large numbers.
  redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', string.format('%.0f', math.ceil((next - now) / 1000)))
end
return 0
