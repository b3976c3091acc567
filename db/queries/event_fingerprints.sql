-- ListEventFingerprints returns the known fingerprints among those of a batch.
-- name: ListEventFingerprints :many
SELECT f.account_id, f.fingerprint, coalesce(f.request_hash, '')::bytea AS request_hash, f.event_id, f.subject_id, f.received_at
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@fingerprints::bytea[])) AS k (account_id, fingerprint)
JOIN event_fingerprints AS f ON f.account_id = k.account_id AND f.fingerprint = k.fingerprint;

-- LockEventKeys locks the Idempotency-Keys of a batch until the transaction ends, in the order of the argument: the same key in
-- events of two pairs, which share no other lock, is recorded once.
-- name: LockEventKeys :exec
SELECT pg_advisory_xact_lock(k.id) FROM unnest(@ids::bigint[]) AS k (id);

-- UpsertEventFingerprints stores the fingerprints of recorded events, in the order of the key: two batches never wait for
-- each other.
-- name: UpsertEventFingerprints :exec
INSERT INTO event_fingerprints AS f (account_id, fingerprint, request_hash, event_id, subject_id, received_at)
SELECT k.account_id, k.fingerprint, nullif(k.request_hash, ''), k.event_id, k.subject_id, k.received_at
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@fingerprints::bytea[]), unnest(@request_hashes::bytea[]), unnest(@event_ids::uuid[]),
    unnest(@subject_ids::uuid[]), unnest(@received_at::timestamptz[]))
  AS k (account_id, fingerprint, request_hash, event_id, subject_id, received_at)
ORDER BY k.account_id, k.fingerprint
ON CONFLICT (account_id, fingerprint) DO UPDATE
SET request_hash = excluded.request_hash, event_id = excluded.event_id, subject_id = excluded.subject_id, received_at = excluded.received_at;

-- DeleteExpiredFingerprints deletes fingerprints that no repeat can match any more, a batch at a time. Cross-tenant.
-- name: DeleteExpiredFingerprints :execrows
DELETE FROM event_fingerprints AS e
WHERE e.received_at < @before AND e.ctid = ANY (ARRAY(
  SELECT f.ctid FROM event_fingerprints AS f
  WHERE f.received_at < @before
  ORDER BY f.received_at
  LIMIT 5000
));
