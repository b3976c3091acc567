-- GetSessionByHMAC finds the session of a presented cookie, by its hash under any of the peppers, with its user as of the last sign-in or
-- refresh. Cross-tenant: a cookie is a random token without its account, which is that of the row.
-- name: GetSessionByHMAC :one
SELECT sqlc.embed(s), a.slug AS account_slug, a.requests_per_hour, a.moving_since, u.subject, u.name, u.email, coalesce(u.assigned_role, u.claimed_role) AS role
FROM user_sessions AS s
JOIN accounts AS a ON a.id = s.account_id
JOIN users AS u ON u.account_id = s.account_id AND u.id = s.user_id
WHERE s.token_hmac = ANY (@token_hmacs::bytea[]);

-- CreateSession stores a new session, by the hash of its token.
-- name: CreateSession :one
INSERT INTO user_sessions (account_id, id, user_id, token_hmac, issuer, provider_sid, encrypted_refresh_token, encrypted_id_token,
  user_agent, remote_ip, created_at, last_used_at, refresh_at, idle_expires_at, expires_at)
VALUES (@account_id, @id, @user_id, @token_hmac, @issuer, @provider_sid, sqlc.narg('encrypted_refresh_token'), sqlc.narg('encrypted_id_token'),
  @user_agent, @remote_ip, @now, @now, @refresh_at, @idle_expires_at, @expires_at)
RETURNING *;

-- DeleteOldestSessions ends the sessions of a user beyond the newest ones.
-- name: DeleteOldestSessions :many
DELETE FROM user_sessions AS d
WHERE d.account_id = @account_id AND d.user_id = @user_id AND d.id NOT IN (
  SELECT s.id FROM user_sessions AS s
  WHERE s.account_id = @account_id AND s.user_id = @user_id
  ORDER BY s.created_at DESC, s.id DESC
  LIMIT @kept
)
RETURNING d.id;

-- TouchSession records that a session is in use.
-- name: TouchSession :exec
UPDATE user_sessions
SET last_used_at = @now, idle_expires_at = @idle_expires_at
WHERE account_id = @account_id AND id = @id AND last_used_at < @now;

-- ClaimSessionRefresh returns a session whose refresh is due, and postpones it: one server calls the identity provider.
-- name: ClaimSessionRefresh :one
UPDATE user_sessions
SET refresh_at = @next_at
WHERE account_id = @account_id AND id = @id AND refresh_at <= @now AND encrypted_refresh_token IS NOT NULL
RETURNING *;

-- StoreSessionRefresh stores the rotated refresh token.
-- name: StoreSessionRefresh :exec
UPDATE user_sessions
SET encrypted_refresh_token = @encrypted_refresh_token, refresh_at = @refresh_at
WHERE account_id = @account_id AND id = @id;

-- StoreSessionIDToken stores the ID token of a refresh.
-- name: StoreSessionIDToken :exec
UPDATE user_sessions
SET encrypted_id_token = @encrypted_id_token
WHERE account_id = @account_id AND id = @id;

-- RehashSession stores the hash of a token under the first pepper, unless it has changed concurrently.
-- name: RehashSession :exec
UPDATE user_sessions
SET token_hmac = @token_hmac
WHERE account_id = @account_id AND id = @id AND token_hmac = @former::bytea;

-- ListSessionsEncryptedWithOtherKey returns sessions with a secret that is encrypted with another key than the given one, by
-- identifier. Cross-tenant.
-- name: ListSessionsEncryptedWithOtherKey :many
SELECT * FROM user_sessions
WHERE id > @after_id AND (substring(encrypted_refresh_token FROM 1 FOR 4) <> @key_id::bytea OR substring(encrypted_id_token FROM 1 FOR 4) <> @key_id::bytea)
ORDER BY id
LIMIT 100;

-- CountSessionsEncryptedWithOtherKey counts what ListSessionsEncryptedWithOtherKey returns. Cross-tenant.
-- name: CountSessionsEncryptedWithOtherKey :one
SELECT count(*) FROM user_sessions
WHERE substring(encrypted_refresh_token FROM 1 FOR 4) <> @key_id::bytea OR substring(encrypted_id_token FROM 1 FOR 4) <> @key_id::bytea;

-- ReplaceSessionSecrets stores the same secrets re-encrypted, unless one has changed concurrently.
-- name: ReplaceSessionSecrets :exec
UPDATE user_sessions
SET encrypted_refresh_token = sqlc.narg('encrypted_refresh_token'), encrypted_id_token = sqlc.narg('encrypted_id_token')
WHERE account_id = @account_id AND id = @id
  AND encrypted_refresh_token IS NOT DISTINCT FROM sqlc.narg('former_refresh_token')
  AND encrypted_id_token IS NOT DISTINCT FROM sqlc.narg('former_id_token');

-- ListSessions returns a page of a user's active sessions, newest first.
-- name: ListSessions :many
SELECT * FROM user_sessions
WHERE account_id = @account_id AND user_id = @user_id AND idle_expires_at > @now AND expires_at > @now
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- DeleteSession ends one of a user's sessions.
-- name: DeleteSession :one
DELETE FROM user_sessions
WHERE account_id = @account_id AND user_id = @user_id AND id = @id
RETURNING *;

-- DeleteSessions ends all sessions of a user.
-- name: DeleteSessions :many
DELETE FROM user_sessions
WHERE account_id = @account_id AND user_id = @user_id
RETURNING id;

-- DeleteExpiredSessions deletes sessions that ended before a time, a batch at a time. Cross-tenant.
-- name: DeleteExpiredSessions :execrows
DELETE FROM user_sessions AS e
WHERE e.ctid = ANY (ARRAY(
  SELECT s.ctid FROM user_sessions AS s
  WHERE s.idle_expires_at < @before
  ORDER BY s.idle_expires_at
  LIMIT 5000
));
