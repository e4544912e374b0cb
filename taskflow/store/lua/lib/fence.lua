-- The fence of every write: whether `claim` is of the code that executes a run. A resume gives the run a new claim (`granted`)
-- before its code has read it, so that the claim before is good, too: no other code ever had it. The next claim ends both.
-- Code reads each new claim before it can wait again. A write that a thread of it repeats may be older: once refused, it goes
-- again under the claim that the code has read since. `run` has the fields claim and granted.
local function is_own_claim(run, claim)
  local newest = run.claim
  return newest == claim or newest and run.granted == newest and tonumber(newest) == tonumber(claim) + 1
end
