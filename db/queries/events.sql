-- InsertEvents appends the events of a batch to the log.
-- name: InsertEvents :exec
INSERT INTO events (account_id, id, received_at, api_key_id, status, effect, deployment_id, build_id, body)
SELECT k.account_id, k.id, k.received_at, k.api_key_id, k.status, k.effect,
  CASE WHEN NOT k.is_build THEN k.subject_id END, CASE WHEN k.is_build THEN k.subject_id END, k.body
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@ids::uuid[]), unnest(@received_at::timestamptz[]), unnest(@api_key_ids::uuid[]),
    unnest(@statuses::text[]), unnest(@effects::text[]), unnest(@is_build::boolean[]), unnest(@subject_ids::uuid[]), unnest(@bodies::json[]))
  AS k (account_id, id, received_at, api_key_id, status, effect, is_build, subject_id, body);

-- ListRecordedEvents returns which events of a batch are recorded already: an earlier attempt may have been committed although
-- its answer was lost.
-- name: ListRecordedEvents :many
SELECT e.id, coalesce(e.deployment_id, e.build_id)::uuid AS subject_id, e.effect
FROM events AS e
WHERE e.account_id = ANY (@accounts::uuid[]) AND e.id = ANY (@ids::uuid[]) AND e.received_at >= @since;

-- ListDeploymentEvents returns a page of the event log of a deployment, newest first.
-- name: ListDeploymentEvents :many
SELECT id, received_at, status, effect, body FROM events
WHERE account_id = @account_id AND deployment_id = @deployment_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (received_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY received_at DESC, id DESC
LIMIT @row_limit;

-- ListBuildEvents returns a page of the event log of a build, newest first.
-- name: ListBuildEvents :many
SELECT id, received_at, status, effect, body FROM events
WHERE account_id = @account_id AND build_id = @build_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (received_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY received_at DESC, id DESC
LIMIT @row_limit;

-- CountEvents counts the account's events, up to a limit.
-- name: CountEvents :one
SELECT count(*) FROM (
  SELECT FROM events AS e
  WHERE e.account_id = @account_id
  LIMIT @up_to
) AS counted;

-- InsertFanOutJob enqueues the notifications of a batch of events. Not tenant-scoped: the queue belongs to no account.
-- name: InsertFanOutJob :exec
INSERT INTO river_job (kind, args, queue, priority, max_attempts, metadata)
VALUES ('fan_out_events', @args, 'notifications', 1, 1000, @metadata);

-- ListEventsOfDeployments returns the events that changed deployments, oldest first: the answer to a repeat names
-- the event that it repeats.
-- name: ListEventsOfDeployments :many
SELECT e.deployment_id::uuid AS subject_id, e.status, e.id FROM events AS e
WHERE e.account_id = ANY (@accounts::uuid[]) AND e.deployment_id = ANY (@ids::uuid[]) AND e.effect IN ('created', 'progressed', 'terminated')
ORDER BY e.received_at, e.id;

-- ListEventsOfBuilds is the same for builds.
-- name: ListEventsOfBuilds :many
SELECT e.build_id::uuid AS subject_id, e.status, e.id FROM events AS e
WHERE e.account_id = ANY (@accounts::uuid[]) AND e.build_id = ANY (@ids::uuid[]) AND e.effect IN ('created', 'progressed', 'terminated')
ORDER BY e.received_at, e.id;
