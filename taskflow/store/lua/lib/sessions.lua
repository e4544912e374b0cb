-- Sessions of the dashboard, by the SHA-256 of their secret, and counts of tries to sign in.
-- Derives :session:<digest>, :sign_in:<digest>.
local function session_key(digest)
  return base .. ":session:" .. digest
end

local function tries_key(digest)
  return base .. ":sign_in:" .. digest
end
