-- The budget of a run's lost attempts, by number and time: `max_lost` within some hours. Derives :run:<id>.
-- A loss counts for max_lost times (6 min and twice its attempt's length), and a day at most. So a run that is lost each
-- time ends after max_lost + 1 attempts, however long they take: no pause is longer than 5 min. Losses that deployments
-- and deaths of nodes cause, spread over days, do not add up.
local LONGEST_PAUSE_MS, LOSS_MS, DAY_MS = 300000, 360000, 86400000

-- Count a loss: its run's field `lost` has the instants until which losses count. Returns how many do, with this one.
local function count_loss(key, run)
  local kept = {}
  for instant in (redis.call("HGET", key, "lost") or ""):gmatch("%d+") do
    if tonumber(instant) > now then
      kept[#kept + 1] = instant
    end
  end
  local length = math.max(0, now - tonumber(run.attempt_started))
  kept[#kept + 1] = string.format("%d", now + math.min(DAY_MS, max_lost * (LOSS_MS + 2 * length)))
  redis.call("HSET", key, "lost", table.concat(kept, " "))
  return #kept
end

-- Returns the pause in ms before the attempt after the count-th loss: none at first, then 1, 2, 4 ... s.
local function pause_after_losses(count)
  return count < 2 and 0 or math.min(LONGEST_PAUSE_MS, 1000 * 2 ^ math.min(count - 2, 20))
end
