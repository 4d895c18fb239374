-- KEYS: a delivery, its sender. ARGV: token, lease in milliseconds, a charge. Answers as `claim` does.
return claim(function() return settle(KEYS[2], 3)[1] end)
