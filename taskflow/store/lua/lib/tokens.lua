-- Keys of tokens. A token is completed once, while runs wait for it. Derives :token:<id>.
-- Its fields: status, created, timeout, completed, output, tags, key, digest, keep (ms it stays when it is done), nonce, schema
-- (JSON Schema of the value that completes it).
local function token_key(id)
  return base .. ":token:" .. id
end
