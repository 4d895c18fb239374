-- KEYS[1]: a delivery. ARGV: token, retention in milliseconds.
local held = redis.call('GET', KEYS[1])
-- A late commit changes nothing that somebody else holds by now, nor what was committed before.
if held and held ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], 'done', 'PX', ARGV[2])
end
return 1
