-- List runs, newest first: those alive by creation, then those finished by their end.
-- ARGV[7] most: at most how many of each
-- Derives :live, :finished, :run:<id>.
-- Returns {1, list of {run id, field, value, ...}}, without payload, output and attempts.
local runs = {}
for _, index in ipairs({ ":live", ":finished" }) do
  for _, id in ipairs(redis.call("ZREVRANGE", base .. index, 0, tonumber(most) - 1)) do
    runs[#runs + 1] = summary(id)
  end
end
return { 1, runs, outbox }
