-- Settles a charge as `Quotas::settle` does, in microseconds of this server's clock.
-- `account` is a key. It holds for each quota when the sender's next request would be due at the allowed rate, in digits, with blanks between.
-- ARGV from `first`: whether the charge must fit ('1') or is put on in any case ('0'); then for each quota the time between two requests, the
-- time that the whole burst takes, and the time that the charge takes, which is negative for a refund.
-- Answers the time to wait, then for each quota the time until it is whole.
local function settle(account, first)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local kept = {}
  for number in string.gmatch(redis.call('GET', account) or '', '%S+') do
    if not string.find(number, '^%d+$') then
      error('WRONGTYPE this is no account')
    end
    -- No quota reaches that far, and numbers stay exact.
    kept[#kept + 1] = math.min(tonumber(number), now + 2 ^ 51)
  end

  local must_fit = ARGV[first] == '1'
  local quotas = (#ARGV - first) / 3
  local dues, charges, wait = {}, {}, 0
  for quota = 1, quotas do
    local interval, burst, cost = unpack(ARGV, first + 3 * quota - 2, first + 3 * quota)
    local latest = now + burst
    -- Further ahead it can only be if the clock was set back or the quota was larger, neither of which must lock anyone out.
    dues[quota] = math.min(math.max(kept[quota] or 0, now), latest)
    charges[quota] = dues[quota] + cost
    if must_fit then
      wait = math.max(wait, charges[quota] - latest)
    else
      charges[quota] = math.min(math.max(charges[quota], now), latest)
      wait = math.max(wait, charges[quota] + interval - latest)
    end
  end

  local settled = must_fit and wait > 0 and dues or charges
  local answer, changed, life, digits = { wait }, false, 0, {}
  -- Numbers of quotas that only others ask about are left as they are.
  for quota = 1, math.max(quotas, #kept) do
    local before = math.max(kept[quota] or 0, now)
    local due = settled[quota] or before
    if quota <= quotas then
      answer[quota + 1] = due - now
    end
    changed = changed or due ~= before
    life = math.max(life, due - now)
    -- In whole digits, as servers differ in how they write large numbers.
    digits[quota] = string.format('%.0f', due)
  end
  if changed and life > 0 then
    redis.call('SET', account, table.concat(digits, ' '), 'PX', string.format('%.0f', math.ceil(life / 1000)))
  elseif changed then
    redis.call('DEL', account)
  end
  return answer
end
