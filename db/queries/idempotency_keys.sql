-- ClaimIdempotencyKey inserts the key of a request, or replaces one of more than a day ago. It waits for a concurrent transaction
-- with the key. No row: the key is in use.
-- name: ClaimIdempotencyKey :execrows
INSERT INTO idempotency_keys AS k (account_id, user_id, operation, key, request_hash, created_at)
VALUES (@account_id, @user_id, @operation, @key, @request_hash, @now)
ON CONFLICT (account_id, user_id, operation, key) DO UPDATE
SET request_hash = excluded.request_hash, response = NULL, is_encrypted = false, created_at = excluded.created_at
WHERE k.created_at <= excluded.created_at - interval '24 hours';

-- GetIdempotentResponse returns the stored response of a key.
-- name: GetIdempotentResponse :one
SELECT request_hash, response, is_encrypted FROM idempotency_keys
WHERE account_id = @account_id AND user_id = @user_id AND operation = @operation AND key = @key
  AND created_at > @since;

-- SaveIdempotentResponse stores the response of a key.
-- name: SaveIdempotentResponse :exec
UPDATE idempotency_keys
SET response = @response, is_encrypted = @is_encrypted
WHERE account_id = @account_id AND user_id = @user_id AND operation = @operation AND key = @key;

-- DeleteExpiredIdempotencyKeys deletes keys of more than a day ago, a batch at a time. Cross-tenant.
-- name: DeleteExpiredIdempotencyKeys :execrows
DELETE FROM idempotency_keys AS e
WHERE e.created_at < @before AND e.ctid = ANY (ARRAY(
  SELECT k.ctid FROM idempotency_keys AS k
  WHERE k.created_at < @before
  ORDER BY k.created_at
  LIMIT 5000
));
