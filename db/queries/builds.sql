-- ListBuilds returns a page of the account's builds, newest first. A commit, given whole or abbreviated in lower case, is found
-- by its own index.
-- name: ListBuilds :many
SELECT b.* FROM build_details AS b
WHERE b.account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (b.occurred_at, b.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('product_id')::uuid IS NULL OR b.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('version_id')::uuid IS NULL OR b.version_id = sqlc.narg('version_id')::uuid)
  AND (sqlc.narg('version')::text IS NULL OR b.version_id = ANY (ARRAY(
    SELECT y.id FROM versions AS y
    WHERE y.account_id = @account_id AND y.version COLLATE "C" = sqlc.narg('version')::text)))
  AND (sqlc.narg('status')::text IS NULL OR b.status = sqlc.narg('status')::text)
  AND (sqlc.narg('commit')::text IS NULL OR b.id = ANY (ARRAY(
    SELECT x.id FROM builds AS x
    WHERE x.account_id = @account_id
      AND x.commit_key >= sqlc.narg('commit')::text AND x.commit_key < sqlc.narg('commit')::text || chr(1114111))))
  AND (sqlc.narg('since')::timestamptz IS NULL OR b.occurred_at >= sqlc.narg('since')::timestamptz)
  AND (sqlc.narg('until')::timestamptz IS NULL OR b.occurred_at < sqlc.narg('until')::timestamptz)
ORDER BY b.occurred_at DESC, b.id DESC
LIMIT @row_limit;

-- GetBuild returns one build.
-- name: GetBuild :one
SELECT * FROM build_details
WHERE account_id = @account_id AND id = @id;

-- LoadBuilds returns the builds that the decisions on a batch of events may depend on: the unfinished ones of their
-- versions, the newest of their runs, and those of earlier events with the same fingerprint. Only a few of one run are read: a
-- client may send the same invoke_id indefinitely.
-- name: LoadBuilds :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.version::text AS version, k.invoke_id::text AS invoke_id, pn.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@versions::text[]), unnest(@invoke_ids::text[]))
    AS k (account_id, product_name, version, invoke_id)
  JOIN product_names AS pn ON pn.account_id = k.account_id AND pn.name = k.product_name
), of_versions AS MATERIALIZED (
  SELECT k.account_id, v.id AS version_id, v.open_build_ids, k.invoke_id
  FROM of_products AS k
  JOIN versions AS v ON v.account_id = k.account_id AND v.product_id = k.product_id AND v.version = k.version
), unfinished AS MATERIALIZED (
  SELECT k.account_id, unnest(k.open_build_ids) AS id
  FROM of_versions AS k
), newest AS MATERIALIZED (
  SELECT k.account_id, unnest(ARRAY(
    SELECT x.id FROM builds AS x
    WHERE x.account_id = k.account_id AND x.version_id = k.version_id AND x.invoke_id = k.invoke_id
    ORDER BY x.id DESC
    LIMIT 8)) AS id
  FROM of_versions AS k
  WHERE k.invoke_id <> ''
), known AS MATERIALIZED (
  SELECT f.account_id, f.subject_id AS id
  FROM ROWS FROM (unnest(@fingerprint_account_ids::uuid[]), unnest(@fingerprints::bytea[])) AS k (account_id, fingerprint)
  JOIN event_fingerprints AS f ON f.account_id = k.account_id AND f.fingerprint = k.fingerprint
), wanted AS MATERIALIZED (
  SELECT account_id, id FROM unfinished
  UNION SELECT account_id, id FROM newest
  UNION SELECT account_id, id FROM known
)
SELECT b.* FROM wanted AS k
JOIN builds AS b ON b.account_id = k.account_id AND b.id = k.id;

-- LoadBuildsOfEvents returns the builds of events that an earlier attempt of a batch has recorded.
-- name: LoadBuildsOfEvents :many
SELECT b.* FROM events AS e
JOIN builds AS b ON b.account_id = e.account_id AND b.id = e.build_id
WHERE e.account_id = ANY (@accounts::uuid[]) AND e.id = ANY (@event_ids::uuid[]) AND e.received_at >= @since;

-- UpsertBuilds inserts the builds that a batch of events creates and updates those that it changes: their pairs are locked. An empty
-- text, a zero number or time, and a negative soak time stand for NULL: arrays of parameters have none. The metadata null, which is no object,
-- stands for that of the row.
-- name: UpsertBuilds :exec
INSERT INTO builds AS b (account_id, id, product_id, version_id, status, seen_statuses, invoke_id, attempt, source_system, build_number, scm_sha, scm_branch,
  scm_repository, build_url, built_by, built_by_email, built_by_name, error_message, error_code, occurred_at, started_at, completed_at,
  last_event_at, superseded, overtaken, extra_metadata, created_at)
SELECT k.account_id, k.id, k.product_id, k.version_id, k.status, string_to_array(k.seen_statuses, ','), nullif(k.invoke_id, ''), nullif(k.attempt, 0),
  nullif(k.source_system, ''), nullif(k.build_number, ''), nullif(k.scm_sha, ''), nullif(k.scm_branch, ''), nullif(k.scm_repository, ''),
  nullif(k.build_url, ''), nullif(k.built_by, ''), nullif(k.built_by_email, ''), nullif(k.built_by_name, ''), nullif(k.error_message, ''),
  nullif(k.error_code, ''), k.occurred_at, nullif(k.started_at, '0001-01-01 00:00:00+00'), nullif(k.completed_at, '0001-01-01 00:00:00+00'),
  k.last_event_at, k.superseded, k.overtaken, k.extra_metadata, k.created_at
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@ids::uuid[]), unnest(@product_ids::uuid[]), unnest(@version_ids::uuid[]), unnest(@statuses::text[]),
    unnest(@seen_statuses::text[]), unnest(@invoke_ids::text[]), unnest(@attempts::bigint[]), unnest(@source_systems::text[]),
    unnest(@build_numbers::text[]), unnest(@scm_shas::text[]), unnest(@scm_branches::text[]), unnest(@scm_repositories::text[]),
    unnest(@build_urls::text[]), unnest(@built_by::text[]), unnest(@built_by_emails::text[]), unnest(@built_by_names::text[]),
    unnest(@error_messages::text[]), unnest(@error_codes::text[]), unnest(@occurred_at::timestamptz[]), unnest(@started_at::timestamptz[]),
    unnest(@completed_at::timestamptz[]), unnest(@last_event_at::timestamptz[]), unnest(@superseded::boolean[]), unnest(@overtaken::boolean[]),
    unnest(@extra_metadata::jsonb[]), unnest(@created_at::timestamptz[]))
  AS k (account_id, id, product_id, version_id, status, seen_statuses, invoke_id, attempt, source_system, build_number, scm_sha, scm_branch,
    scm_repository, build_url, built_by, built_by_email, built_by_name, error_message, error_code, occurred_at, started_at, completed_at,
    last_event_at, superseded, overtaken, extra_metadata, created_at)
ON CONFLICT (account_id, id) DO UPDATE
SET status = excluded.status, seen_statuses = excluded.seen_statuses, invoke_id = excluded.invoke_id, attempt = excluded.attempt,
  source_system = excluded.source_system, build_number = excluded.build_number, scm_sha = excluded.scm_sha, scm_branch = excluded.scm_branch,
  scm_repository = excluded.scm_repository, build_url = excluded.build_url, built_by = excluded.built_by,
  built_by_email = excluded.built_by_email, built_by_name = excluded.built_by_name, error_message = excluded.error_message,
  error_code = excluded.error_code, started_at = excluded.started_at, completed_at = excluded.completed_at,
  last_event_at = excluded.last_event_at, superseded = excluded.superseded, overtaken = excluded.overtaken,
  extra_metadata = CASE WHEN excluded.extra_metadata = 'null' THEN b.extra_metadata ELSE excluded.extra_metadata END;
