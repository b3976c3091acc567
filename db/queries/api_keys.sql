-- GetAPIKeyByHMAC finds the key of a presented token, by its hash under any of the peppers. Cross-tenant: the row, not the token's text,
-- authorises.
-- name: GetAPIKeyByHMAC :one
SELECT sqlc.embed(k), a.slug AS account_slug, a.requests_per_hour, a.moving_since
FROM api_keys AS k
JOIN accounts AS a ON a.id = k.account_id
WHERE k.token_hmac = ANY (@token_hmacs::bytea[]);

-- CreateAPIKey stores a new key, by the hash of its token.
-- name: CreateAPIKey :one
INSERT INTO api_keys (account_id, id, key_id, name, description, token_hmac, pepper_id, scopes, expires_at, created_by, created_at)
VALUES (@account_id, @id, @key_id, @name, @description, @token_hmac, @pepper_id, @scopes::text[], sqlc.narg('expires_at'), sqlc.narg('created_by'), @now)
RETURNING *;

-- RehashAPIKey stores the hash of a token under the first pepper, unless it has changed concurrently.
-- name: RehashAPIKey :exec
UPDATE api_keys
SET token_hmac = @token_hmac, pepper_id = @pepper_id
WHERE account_id = @account_id AND id = @id AND token_hmac = @former::bytea;

-- ListAPIKeysOfOtherPeppers returns the active keys that were hashed with another pepper than the given one. A key without an identifier
-- has the pepper of cluster_identity. Cross-tenant.
-- name: ListAPIKeysOfOtherPeppers :many
SELECT a.slug AS account_slug, k.key_id, k.name, k.last_used_at
FROM api_keys AS k
JOIN accounts AS a ON a.id = k.account_id
WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > @now::timestamptz)
  AND coalesce(k.pepper_id, (SELECT substring(i.pepper_verifier FROM 1 FOR 8) FROM cluster_identity AS i)) <> @pepper_id::bytea
ORDER BY a.slug, k.created_at, k.id;

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

-- UpdateAPIKeysLastUsed records when keys were last used. Cross-tenant.
-- name: UpdateAPIKeysLastUsed :exec
UPDATE api_keys AS k
SET last_used_at = greatest(k.last_used_at, u.used_at)
FROM (SELECT unnest(@account_ids::uuid[]) AS account_id, unnest(@ids::uuid[]) AS id, unnest(@used_at::timestamptz[]) AS used_at) AS u
WHERE k.account_id = ANY (@account_ids::uuid[]) AND k.account_id = u.account_id AND k.id = u.id;

-- NotifyPrincipalChange makes every server drop what it has cached of a key, a user or an account. It runs after the change is committed.
-- name: NotifyPrincipalChange :exec
SELECT pg_notify('principal_changed', (@id::uuid)::text);

-- ListAPIKeysPage returns a page of the account's keys, newest first, revoked and expired ones included.
-- name: ListAPIKeysPage :many
SELECT sqlc.embed(k), u.name AS created_by_name
FROM api_keys AS k
LEFT JOIN users AS u ON u.account_id = @account_id AND u.id = k.created_by
WHERE k.account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (k.created_at, k.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY k.created_at DESC, k.id DESC
LIMIT @row_limit;

-- GetAPIKey returns one key.
-- name: GetAPIKey :one
SELECT sqlc.embed(k), u.name AS created_by_name
FROM api_keys AS k
LEFT JOIN users AS u ON u.account_id = @account_id AND u.id = k.created_by
WHERE k.account_id = @account_id AND k.id = @id;

-- GetAPIKeyForUpdate returns one key and locks it until the transaction ends.
-- name: GetAPIKeyForUpdate :one
SELECT * FROM api_keys
WHERE account_id = @account_id AND id = @id
FOR UPDATE;

-- GetAPIKeyByKeyIDForUpdate returns the key with an identifier such as k1, and locks it until the transaction ends.
-- name: GetAPIKeyByKeyIDForUpdate :one
SELECT * FROM api_keys
WHERE account_id = @account_id AND key_id = @key_id
FOR UPDATE;

-- UpdateAPIKey updates mutable columns and increments the revision.
-- name: UpdateAPIKey :one
UPDATE api_keys
SET name = @name, description = @description, expires_at = sqlc.narg('expires_at'), revoked_at = sqlc.narg('revoked_at'), revision = revision + 1
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- LockAccount makes concurrent creations of keys in one account wait for each other, and returns the account.
-- name: LockAccount :one
SELECT * FROM accounts
WHERE id = @account_id
FOR UPDATE;

-- SetAPIKeyLimit sets how many requests a minute a key may send; null is the server-wide limit.
-- name: SetAPIKeyLimit :one
UPDATE api_keys
SET requests_per_minute = sqlc.narg('requests_per_minute'), revision = revision + 1
WHERE account_id = @account_id AND key_id = @key_id
RETURNING *;
