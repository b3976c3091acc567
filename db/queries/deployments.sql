-- ListDeployments returns a page of the account's deployments, newest first. A commit, given whole or abbreviated in lower
-- case, is found by its own index: the planner would prefer a scan backwards in time, which may find none. Unfinished deployments are those
-- of ListUnfinishedDeployments, where it is complete. Attempts that rules have blocked are listed if asked for. A status has one condition: of two, the planner would expect far fewer rows.
-- name: ListDeployments :many
SELECT d.* FROM deployment_details AS d
WHERE d.account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (d.occurred_at, d.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('product_id')::uuid IS NULL OR d.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('environment_id')::uuid IS NULL OR d.environment_id = sqlc.narg('environment_id')::uuid)
  AND (sqlc.narg('version_id')::uuid IS NULL OR d.version_id = sqlc.narg('version_id')::uuid)
  AND (sqlc.narg('version')::text IS NULL OR d.version_id = ANY (ARRAY(
    SELECT y.id FROM versions AS y
    WHERE y.account_id = @account_id AND y.version COLLATE "C" = sqlc.narg('version')::text)))
  AND (sqlc.narg('status')::text IS NULL OR sqlc.narg('status')::text IN ('failed', 'aborted', 'preflight_failed') OR d.status = sqlc.narg('status')::text)
  AND (sqlc.narg('status')::text IS NULL OR sqlc.narg('status')::text NOT IN ('failed', 'aborted') OR d.unsuccessful_status = sqlc.narg('status')::text)
  AND (sqlc.narg('status')::text IS NOT DISTINCT FROM 'preflight_failed' OR d.last_rejected_at IS NULL)
  AND (sqlc.narg('status')::text IS DISTINCT FROM 'preflight_failed' OR d.last_rejected_at IS NOT NULL)
  AND (sqlc.narg('unfinished')::uuid[] IS NULL OR d.id = ANY (sqlc.narg('unfinished')::uuid[]))
  AND (sqlc.narg('commit')::text IS NULL OR d.id = ANY (ARRAY(
    SELECT x.id FROM deployments AS x
    WHERE x.account_id = @account_id
      AND x.commit_key >= sqlc.narg('commit')::text AND x.commit_key < sqlc.narg('commit')::text || chr(1114111))))
  AND (sqlc.narg('since')::timestamptz IS NULL OR d.occurred_at >= sqlc.narg('since')::timestamptz)
  AND (sqlc.narg('until')::timestamptz IS NULL OR d.occurred_at < sqlc.narg('until')::timestamptz)
ORDER BY d.occurred_at DESC, d.id DESC
LIMIT @row_limit;

-- ListUnfinishedDeployments returns the unfinished deployments that each pair of product and environment keeps track of.
-- name: ListUnfinishedDeployments :many
SELECT s.open_deployment_ids FROM environment_state AS s
WHERE s.account_id = @account_id AND s.open_deployment_ids <> '{}'
  AND (sqlc.narg('product_id')::uuid IS NULL OR s.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('environment_id')::uuid IS NULL OR s.environment_id = sqlc.narg('environment_id')::uuid);

-- GetDeployment returns one deployment.
-- name: GetDeployment :one
SELECT * FROM deployment_details
WHERE account_id = @account_id AND id = @id;

-- GetDeploymentNeighbours returns the deployments before and after one of the same product and environment, in the order of lists.
-- name: GetDeploymentNeighbours :one
SELECT p.id AS previous_id, n.id AS next_id
FROM deployment_details AS d
LEFT JOIN LATERAL (
  SELECT x.id FROM deployments AS x
  WHERE x.account_id = @account_id AND x.product_id = d.product_id AND x.environment_id = d.environment_id
    AND (x.occurred_at, x.id) < (d.occurred_at, d.id) AND x.last_rejected_at IS NULL
  ORDER BY x.occurred_at DESC, x.id DESC
  LIMIT 1
) AS before ON true
LEFT JOIN LATERAL (
  SELECT x.id FROM deployments AS x
  WHERE x.account_id = @account_id AND x.product_id = d.product_id AND x.environment_id = d.environment_id
    AND (x.occurred_at, x.id) > (d.occurred_at, d.id) AND x.last_rejected_at IS NULL
  ORDER BY x.occurred_at, x.id
  LIMIT 1
) AS after ON true
LEFT JOIN deployments AS p ON p.account_id = @account_id AND p.id = before.id
LEFT JOIN deployments AS n ON n.account_id = @account_id AND n.id = after.id
WHERE d.account_id = @account_id AND d.id = @id;

-- ListDeploymentsByID returns some deployments with their versions.
-- name: ListDeploymentsByID :many
SELECT d.id, d.version_id, v.version, d.status, d.occurred_at, d.started_at, d.completed_at, d.last_event_at, d.superseded, d.overtaken,
  d.deployed_by, d.deployed_by_name
FROM deployments AS d
JOIN versions AS v ON v.account_id = @account_id AND v.id = d.version_id
WHERE d.account_id = @account_id AND d.id = ANY (@ids::uuid[]);

-- LoadDeployments returns the deployments that the decisions on a batch of events may depend on: the unfinished ones of their
-- pairs, the newest of their runs, and those of earlier events with the same fingerprint. Only a few of one run are read: a
-- client may send the same invoke_id indefinitely.
-- name: LoadDeployments :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.environment_name::text AS environment_name, k.version::text AS version, k.invoke_id::text AS invoke_id, pn.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@environment_names::text[]), unnest(@versions::text[]), unnest(@invoke_ids::text[]))
    AS k (account_id, product_name, environment_name, version, invoke_id)
  JOIN product_names AS pn ON pn.account_id = k.account_id AND pn.name = k.product_name
), of_pairs AS MATERIALIZED (
  SELECT k.account_id, k.product_id, en.environment_id, k.version, k.invoke_id
  FROM of_products AS k
  JOIN environment_names AS en ON en.account_id = k.account_id AND en.name = k.environment_name
), unfinished AS MATERIALIZED (
  SELECT k.account_id, unnest(s.open_deployment_ids) AS id
  FROM of_pairs AS k
  JOIN environment_state AS s ON s.account_id = k.account_id AND s.product_id = k.product_id AND s.environment_id = k.environment_id
), of_versions AS MATERIALIZED (
  SELECT k.account_id, k.environment_id, v.id AS version_id, k.invoke_id
  FROM of_pairs AS k
  JOIN versions AS v ON v.account_id = k.account_id AND v.product_id = k.product_id AND v.version = k.version
  WHERE k.invoke_id <> ''
), newest AS MATERIALIZED (
  SELECT k.account_id, unnest(ARRAY(
    SELECT x.id FROM deployments AS x
    WHERE x.account_id = k.account_id AND x.version_id = k.version_id AND x.environment_id = k.environment_id AND x.invoke_id = k.invoke_id
    ORDER BY x.id DESC
    LIMIT 8)) AS id
  FROM of_versions AS k
), known AS MATERIALIZED (
  SELECT f.account_id, f.subject_id AS id
  FROM ROWS FROM (unnest(@fingerprint_account_ids::uuid[]), unnest(@fingerprints::bytea[])) AS k (account_id, fingerprint)
  JOIN event_fingerprints AS f ON f.account_id = k.account_id AND f.fingerprint = k.fingerprint
), wanted AS MATERIALIZED (
  SELECT account_id, id FROM unfinished
  UNION SELECT account_id, id FROM newest
  UNION SELECT account_id, id FROM known
)
SELECT d.* FROM wanted AS k
JOIN deployments AS d ON d.account_id = k.account_id AND d.id = k.id;

-- LoadDeploymentsOfEvents returns the deployments of events that an earlier attempt of a batch has recorded.
-- name: LoadDeploymentsOfEvents :many
SELECT d.* FROM events AS e
JOIN deployments AS d ON d.account_id = e.account_id AND d.id = e.deployment_id
WHERE e.account_id = ANY (@accounts::uuid[]) AND e.id = ANY (@event_ids::uuid[]) AND e.received_at >= @since;

-- UpsertDeployments inserts the deployments that a batch of events creates and updates those that it changes: their pairs are locked. An empty
-- text, a zero number or time, and a negative soak time stand for NULL: arrays of parameters have none. The metadata null, which is no object,
-- stands for that of the row.
-- name: UpsertDeployments :exec
INSERT INTO deployments AS d (account_id, id, product_id, version_id, environment_id, status, seen_statuses, invoke_id, attempt, source_system, build_number, scm_sha,
  scm_branch, scm_repository, deploy_url, deployed_by, deployed_by_email, deployed_by_name, soak_time_hours, occurred_at, started_at, completed_at,
  last_event_at, superseded, overtaken, extra_metadata, created_at, rejections, last_rejected_at, previous_attempt_id, deployment_request_id)
SELECT k.account_id, k.id, k.product_id, k.version_id, k.environment_id, k.status, string_to_array(k.seen_statuses, ','), nullif(k.invoke_id, ''),
  nullif(k.attempt, 0), nullif(k.source_system, ''), nullif(k.build_number, ''), nullif(k.scm_sha, ''), nullif(k.scm_branch, ''),
  nullif(k.scm_repository, ''), nullif(k.deploy_url, ''), nullif(k.deployed_by, ''), nullif(k.deployed_by_email, ''),
  nullif(k.deployed_by_name, ''), nullif(k.soak_time_hours, -1), k.occurred_at, nullif(k.started_at, '0001-01-01 00:00:00+00'),
  nullif(k.completed_at, '0001-01-01 00:00:00+00'), k.last_event_at, k.superseded, k.overtaken, k.extra_metadata, k.created_at,
  k.rejections, nullif(k.last_rejected_at, '0001-01-01 00:00:00+00'), nullif(k.previous_attempt_id, '00000000-0000-0000-0000-000000000000'),
  nullif(k.deployment_request_id, '00000000-0000-0000-0000-000000000000')
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@ids::uuid[]), unnest(@product_ids::uuid[]), unnest(@version_ids::uuid[]),
    unnest(@environment_ids::uuid[]), unnest(@statuses::text[]), unnest(@seen_statuses::text[]), unnest(@invoke_ids::text[]),
    unnest(@attempts::bigint[]), unnest(@source_systems::text[]), unnest(@build_numbers::text[]), unnest(@scm_shas::text[]),
    unnest(@scm_branches::text[]), unnest(@scm_repositories::text[]), unnest(@deploy_urls::text[]), unnest(@deployed_by::text[]),
    unnest(@deployed_by_emails::text[]), unnest(@deployed_by_names::text[]), unnest(@soak_time_hours::double precision[]),
    unnest(@occurred_at::timestamptz[]), unnest(@started_at::timestamptz[]), unnest(@completed_at::timestamptz[]),
    unnest(@last_event_at::timestamptz[]), unnest(@superseded::boolean[]), unnest(@overtaken::boolean[]), unnest(@extra_metadata::jsonb[]),
    unnest(@created_at::timestamptz[]), unnest(@rejections::integer[]), unnest(@last_rejected_at::timestamptz[]), unnest(@previous_attempt_ids::uuid[]),
    unnest(@deployment_request_ids::uuid[]))
  AS k (account_id, id, product_id, version_id, environment_id, status, seen_statuses, invoke_id, attempt, source_system, build_number, scm_sha,
    scm_branch, scm_repository, deploy_url, deployed_by, deployed_by_email, deployed_by_name, soak_time_hours, occurred_at, started_at,
    completed_at, last_event_at, superseded, overtaken, extra_metadata, created_at, rejections, last_rejected_at, previous_attempt_id, deployment_request_id)
ON CONFLICT (account_id, id) DO UPDATE
SET status = excluded.status, seen_statuses = excluded.seen_statuses, invoke_id = excluded.invoke_id, attempt = excluded.attempt,
  source_system = excluded.source_system, build_number = excluded.build_number, scm_sha = excluded.scm_sha, scm_branch = excluded.scm_branch,
  scm_repository = excluded.scm_repository, deploy_url = excluded.deploy_url, deployed_by = excluded.deployed_by,
  deployed_by_email = excluded.deployed_by_email, deployed_by_name = excluded.deployed_by_name, started_at = excluded.started_at,
  completed_at = excluded.completed_at, last_event_at = excluded.last_event_at, superseded = excluded.superseded, overtaken = excluded.overtaken,
  extra_metadata = CASE WHEN excluded.extra_metadata = 'null' THEN d.extra_metadata ELSE excluded.extra_metadata END, rejections = excluded.rejections, last_rejected_at = excluded.last_rejected_at,
  previous_attempt_id = excluded.previous_attempt_id, deployment_request_id = excluded.deployment_request_id;
