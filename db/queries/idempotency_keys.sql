-- ClaimIdempotencyKey makes the request the one that is executed. No row: another one is or was, within a day and with a
-- response, or within half a minute. A claim that is repeated because its answer was lost is the same claim.
-- name: ClaimIdempotencyKey :one
INSERT INTO idempotency_keys AS i (account_id, user_id, operation, key, request_hash, claim_id, locked_at)
VALUES (@account_id, @user_id, @operation, @key, @request_hash, @claim_id, @now)
ON CONFLICT (account_id, user_id, operation, key) DO UPDATE
SET request_hash = excluded.request_hash, encrypted_response = NULL, claim_id = excluded.claim_id,
  locked_at = CASE WHEN i.claim_id = excluded.claim_id THEN i.locked_at ELSE excluded.locked_at END
WHERE i.locked_at < excluded.locked_at - interval '24 hours'
  OR i.encrypted_response IS NULL AND i.request_hash = excluded.request_hash
    AND (i.locked_at < excluded.locked_at - interval '30 seconds' OR i.claim_id = excluded.claim_id)
RETURNING locked_at;

-- GetIdempotencyKey returns the stored request of that key.
-- name: GetIdempotencyKey :one
SELECT * FROM idempotency_keys
WHERE account_id = @account_id AND user_id = @user_id AND operation = @operation AND key = @key;

-- SaveIdempotentResponse stores the response. No row: the claim has expired and was taken over.
-- name: SaveIdempotentResponse :execrows
UPDATE idempotency_keys
SET encrypted_response = @encrypted_response
WHERE account_id = @account_id AND user_id = @user_id AND operation = @operation AND key = @key AND claim_id = @claim_id;

-- AbandonIdempotencyKey deletes the claim of a request that changed nothing.
-- name: AbandonIdempotencyKey :exec
DELETE FROM idempotency_keys
WHERE account_id = @account_id AND user_id = @user_id AND operation = @operation AND key = @key AND claim_id = @claim_id AND encrypted_response IS NULL;

-- DeleteExpiredIdempotencyKeys deletes keys of more than a day ago, a batch at a time. Cross-tenant.
-- name: DeleteExpiredIdempotencyKeys :execrows
DELETE FROM idempotency_keys AS e
WHERE e.locked_at < @before AND e.ctid = ANY (ARRAY(
  SELECT k.ctid FROM idempotency_keys AS k
  WHERE k.locked_at < @before
  ORDER BY k.locked_at
  LIMIT 5000
));
