-- Claims the delivery of KEYS[1] for the token ARGV[1] and the milliseconds ARGV[2]. The key holds "done", or the token of who is handling it.
-- `wait` says how many microseconds to wait before a delivery that nobody has may be claimed.
-- Answers what it is, and for how many microseconds.
local FRESH, IN_PROGRESS, DONE, LIMITED = 0, 1, 2, 3
local function claim(wait)
  local held = redis.call('GET', KEYS[1])
  if held == 'done' then
    return { DONE, 0 }
  end
  if held and held ~= ARGV[1] then
    return { IN_PROGRESS, math.max(redis.call('PTTL', KEYS[1]), 1) * 1000 }
  end
  local micros = held and 0 or wait()
  if micros > 0 then
    return { LIMITED, micros }
  end
  if ARGV[2] == '0' then
    redis.call('DEL', KEYS[1])
  else
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  end
  return { FRESH, 0 }
end
