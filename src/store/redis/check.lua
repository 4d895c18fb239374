-- KEYS[1]: nothing. Is writing allowed, and what does the server say of itself?
redis.call('DEL', KEYS[1])
local info = redis.pcall('INFO')
return type(info) == 'string' and info or ''
