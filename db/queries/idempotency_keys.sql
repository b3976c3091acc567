-- ClaimIdempotencyKey makes the request the one that is carried out. There is no row when another one is or was: unless
-- that was a day ago, or it has left no answer for half a minute, as its server died. What it may have done is remembered. A
-- claim that is made again, as its answer was lost, is the same claim.
-- name: ClaimIdempotencyKey :one
INSERT INTO idempotency_keys AS i (account_id, operation, key, request_hash, claim_id)
VALUES (@account_id, @operation, @key, @request_hash, @claim_id)
ON CONFLICT (key, operation, account_id) DO UPDATE
SET request_hash = excluded.request_hash, sealed_response = NULL, claim_id = excluded.claim_id,
  claimed_at = CASE WHEN i.claim_id = excluded.claim_id THEN i.claimed_at ELSE clock_timestamp() END,
  tried_since = CASE
    WHEN i.claim_id = excluded.claim_id THEN i.tried_since
    WHEN i.claimed_at >= clock_timestamp() - interval '24 hours' THEN coalesce(i.tried_since, i.claimed_at)
  END
WHERE i.claimed_at < clock_timestamp() - interval '24 hours'
  OR i.sealed_response IS NULL AND i.request_hash = excluded.request_hash
    AND (i.claimed_at < clock_timestamp() - interval '30 seconds' OR i.claim_id = excluded.claim_id)
RETURNING claimed_at, tried_since;

-- GetIdempotencyKey returns what is known of the request of that name.
-- name: GetIdempotencyKey :one
SELECT * FROM idempotency_keys
WHERE account_id = @account_id AND operation = @operation AND key = @key;

-- AnswerIdempotencyKey keeps the answer. It writes nothing when the claim was taken over.
-- name: AnswerIdempotencyKey :execrows
UPDATE idempotency_keys
SET sealed_response = @sealed_response
WHERE account_id = @account_id AND operation = @operation AND key = @key AND claimed_at = @claimed_at;

-- ReleaseIdempotencyKey frees the name: nothing was done. What was answered after all stays.
-- name: ReleaseIdempotencyKey :exec
DELETE FROM idempotency_keys
WHERE account_id = @account_id AND operation = @operation AND key = @key AND claimed_at = @claimed_at AND sealed_response IS NULL;

-- EndIdempotencyClaim lets the same request be tried again at once, as if the server had died: it may have been carried out.
-- name: EndIdempotencyClaim :exec
UPDATE idempotency_keys
SET tried_since = coalesce(tried_since, claimed_at), claimed_at = claimed_at - interval '30 seconds'
WHERE account_id = @account_id AND operation = @operation AND key = @key AND claimed_at = @claimed_at AND sealed_response IS NULL;

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
