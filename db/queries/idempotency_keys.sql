-- ClaimIdempotencyKey makes the request the one that is carried out. There is no row when another one is or was: unless
-- that was a day ago, or it has left no answer for half a minute, as its server died.
-- name: ClaimIdempotencyKey :one
INSERT INTO idempotency_keys (account_id, operation, key, request_hash)
VALUES (@account_id, @operation, @key, @request_hash)
ON CONFLICT (key, operation, account_id) DO UPDATE
SET request_hash = excluded.request_hash, sealed_response = NULL, claimed_at = clock_timestamp()
WHERE idempotency_keys.claimed_at < clock_timestamp() - interval '24 hours'
  OR idempotency_keys.sealed_response IS NULL AND idempotency_keys.claimed_at < clock_timestamp() - interval '30 seconds'
    AND idempotency_keys.request_hash = excluded.request_hash
RETURNING claimed_at;

-- GetIdempotencyKey returns what is known of the request of that name.
-- name: GetIdempotencyKey :one
SELECT * FROM idempotency_keys
WHERE account_id = @account_id AND operation = @operation AND key = @key;

-- AnswerIdempotencyKey keeps the answer. It writes nothing when the claim was taken over.
-- name: AnswerIdempotencyKey :execrows
UPDATE idempotency_keys
SET sealed_response = @sealed_response
WHERE account_id = @account_id AND operation = @operation AND key = @key AND claimed_at = @claimed_at;

-- ReleaseIdempotencyKey lets the request be tried again: nothing was done.
-- name: ReleaseIdempotencyKey :exec
DELETE FROM idempotency_keys
WHERE account_id = @account_id AND operation = @operation AND key = @key AND claimed_at = @claimed_at;

-- DeleteExpiredIdempotencyKeys forgets, a batch at a time and oldest first, what was asked a day ago. It concerns every
-- tenant.
-- name: DeleteExpiredIdempotencyKeys :execrows
DELETE FROM idempotency_keys
WHERE (key, operation, account_id) IN (
  SELECT k.key, k.operation, k.account_id FROM idempotency_keys AS k
  WHERE k.claimed_at < clock_timestamp() - interval '24 hours'
  ORDER BY k.claimed_at
  LIMIT 5000
  FOR UPDATE SKIP LOCKED
);
