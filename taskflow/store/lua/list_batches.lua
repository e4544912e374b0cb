-- List batches, newest first.
-- ARGV[7] most: at most how many  [8] before: list those made at this instant in ms or before it, "+inf" for all
-- Derives :batches.
-- Returns {1, list of {id, when it was made in ms}}.
local found, rows = redis.call("ZREVRANGEBYSCORE", base .. ":batches", before, "-inf", "WITHSCORES", "LIMIT", 0, most), {}
for index = 1, #found, 2 do
  rows[#rows + 1] = { found[index], found[index + 1] }
end
return { 1, rows, outbox }
