-- Complete a token, once. Runs that wait for it go on.
-- ARGV[7] id of the token  [8] output, JSON  [9] nonce of this call: a repeated call (its reply was lost) gets the same reply
--   [10] checked: SHA-1 of the JSON Schema that the output was checked against, or ""
-- Derives :token:<id>.
-- Returns {1, "COMPLETED"} when this call did, {2, status} when it was done before, {0, "MISSING"}; {3, schema} when the
--   output is to be checked first against the token's schema.
local token = fields(token_key(id), "status", "nonce", "schema")
if not token.status then
  return { 0, "MISSING", outbox }
end
if token.status ~= "WAITING" then
  return { token.nonce == nonce and 1 or 2, token.status, outbox }
end
if token.schema and redis.sha1hex(token.schema) ~= checked then
  return { 3, token.schema, outbox }
end
end_token(id, "COMPLETED", "output", output, "nonce", nonce)
return { 1, "COMPLETED", outbox }
