-- API keys, by the SHA-256 of a key: the store never has the key itself. Derives :api_key:<digest>.
local function api_key_of(digest)
  return base .. ":api_key:" .. digest
end
