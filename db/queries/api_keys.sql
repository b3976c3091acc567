-- GetAPIKeyByHMAC finds the key behind a presented token. It is the one query that learns its tenant from the row: the
-- token's text is not to be believed.
-- name: GetAPIKeyByHMAC :one
SELECT sqlc.embed(k), a.slug AS account_slug
FROM api_keys AS k
JOIN accounts AS a ON a.id = k.account_id
WHERE k.token_hmac = @token_hmac;

-- CreateAPIKey stores a new key, by the hash of its token.
-- name: CreateAPIKey :one
INSERT INTO api_keys (account_id, key_id, name, token_hmac, expires_at)
VALUES (@account_id, @key_id, @name, @token_hmac, sqlc.narg('expires_at'))
RETURNING *;

-- NextAPIKeyNumber counts on from the highest number that the account has used (k1, k2, …), revoked keys
-- included. EnsureAccount locks the account, so that each key gets a number of its own.
-- name: NextAPIKeyNumber :one
SELECT (coalesce(max(substr(key_id, 2)::bigint), 0) + 1)::bigint AS number
FROM api_keys
WHERE account_id = @account_id AND key_id ~ '^k[0-9]{1,18}$';

-- ListAPIKeys returns the keys of an account, oldest first, revoked and expired ones included.
-- name: ListAPIKeys :many
SELECT * FROM api_keys
WHERE account_id = @account_id
ORDER BY created_at, id;

-- RevokeAPIKey ends a key for good; revoking it again keeps the first time.
-- name: RevokeAPIKey :one
UPDATE api_keys
SET revoked_at = coalesce(revoked_at, clock_timestamp())
WHERE account_id = @account_id AND key_id = @key_id
RETURNING *;

-- TouchAPIKeys notes when keys were last used, for many keys of many tenants at once.
-- name: TouchAPIKeys :exec
UPDATE api_keys AS k
SET last_used_at = greatest(k.last_used_at, u.used_at)
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@used_at::timestamptz[]) AS used_at) AS u
WHERE k.id = u.id;
