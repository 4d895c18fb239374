-- KEYS[1]: a delivery. It holds "done", or the token of who is handling it. ARGV: token, lease in milliseconds.
-- Answers -1 if it was committed, 0 if it is granted, else the milliseconds that are left of another's lease.
local held = redis.call('GET', KEYS[1])
if held == 'done' then
  return -1
end
if held and held ~= ARGV[1] then
  return math.max(redis.call('PTTL', KEYS[1]), 1)
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 0
