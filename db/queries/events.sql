-- RecordDeploymentEvent records one deployment event and returns it with its deployment: all in one round trip. The
-- statement enters its tenant first, as those of several share a transaction; what it reads and writes is in the function of
-- the same name.
-- name: RecordDeploymentEvent :batchone
SELECT r.* FROM set_config('versioner.account_id', (@account_id::uuid)::text, true) AS entered, record_deployment_event(
  entered::uuid, @api_key_id, @fingerprint, @body,
  @product_name, @version, @environment_name, @environment_type, @status,
  sqlc.narg('invoke_id'), sqlc.narg('attempt'), sqlc.narg('source_system'), sqlc.narg('build_number'),
  sqlc.narg('scm_sha'), sqlc.narg('scm_branch'), sqlc.narg('scm_repository'), sqlc.narg('deploy_url'),
  sqlc.narg('deployed_by'), sqlc.narg('deployed_by_email'), sqlc.narg('deployed_by_name'),
  sqlc.narg('completed_at'), @extra_metadata) AS r;

-- RecordBuildEvent is the same for a build. It returns no row when the version exists with another commit.
-- name: RecordBuildEvent :batchone
SELECT r.* FROM set_config('versioner.account_id', (@account_id::uuid)::text, true) AS entered, record_build_event(
  entered::uuid, @api_key_id, @fingerprint, @body,
  @product_name, @version, @status,
  sqlc.narg('invoke_id'), sqlc.narg('attempt'), sqlc.narg('source_system'), sqlc.narg('build_number'),
  sqlc.narg('scm_sha'), sqlc.narg('scm_branch'), sqlc.narg('scm_repository'), sqlc.narg('build_url'),
  sqlc.narg('built_by'), sqlc.narg('built_by_email'), sqlc.narg('built_by_name'),
  sqlc.narg('error_message'), sqlc.narg('error_code'),
  sqlc.narg('started_at'), sqlc.narg('completed_at'), @extra_metadata) AS r;

-- LockDeploymentEvents locks, before the first of several deployment events of an account is recorded in a transaction, all
-- that they will want to lock, in the order of all such transactions (db/migrations/00010).
-- name: LockDeploymentEvents :exec
SELECT lock_deployment_events(entered::uuid, @patience::text, @product_names::text[], @versions::text[], @environment_names::text[], @environment_types::text[])
FROM set_config('versioner.account_id', (@account_id::uuid)::text, true) AS entered;

-- LockBuildEvents is the same for builds.
-- name: LockBuildEvents :exec
SELECT lock_build_events(entered::uuid, @patience::text, @product_names::text[], @versions::text[])
FROM set_config('versioner.account_id', (@account_id::uuid)::text, true) AS entered;

-- PrepareEventPartitions makes the partitions of this month and the months ahead. It concerns no tenant.
-- name: PrepareEventPartitions :exec
SELECT prepare_event_partitions(@months_ahead);

-- PreparePastEventPartitions makes the partitions of the months since then, for history that is filled in. It concerns no
-- tenant.
-- name: PreparePastEventPartitions :exec
SELECT prepare_past_event_partitions(@since);

-- CountEvents counts the account's events, up to a limit: whether there are few is what it is for.
-- name: CountEvents :one
SELECT count(*) FROM (
  SELECT FROM events AS e
  WHERE e.account_id = @account_id
  LIMIT @up_to
) AS counted;

-- DeleteExpiredFingerprints forgets, a batch at a time and oldest first, what no client can be repeating any more. It
-- concerns every tenant.
-- name: DeleteExpiredFingerprints :execrows
DELETE FROM event_fingerprints
WHERE (account_id, fingerprint) IN (
  SELECT f.account_id, f.fingerprint
  FROM event_fingerprints AS f
  WHERE f.event_received_at < clock_timestamp() - interval '7 days'
  ORDER BY f.event_received_at
  LIMIT 5000
  FOR UPDATE SKIP LOCKED
);
