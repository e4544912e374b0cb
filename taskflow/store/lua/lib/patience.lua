-- End a run for whose task or queue no worker came in time. Derives :run:<id>.
local function lose_patience(id)
  local run = fields(run_key(id), "status", "awaiting", "created")
  if run.status ~= "PENDING_VERSION" then
    return
  end
  local kind, name = run.awaiting:match("^(%a+):(.*)$")
  local text = string.format(
    "No worker has registered %s '%s' within %g s. Start a worker whose code declares it, or look for a misspelt name.",
    kind, name, (now - tonumber(run.created)) / 1000
  )
  end_run(id, "EXPIRED", cjson.encode({ type = "PendingVersion", message = text, traceback = "" }))
end
