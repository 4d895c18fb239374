-- KEYS[1]: a sender. ARGV: a charge. Answers as `settle` does.
return settle(KEYS[1], 1)
