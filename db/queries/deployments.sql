-- ListDeployments returns a page of the account's deployments, newest first. A commit, given whole or abbreviated in lower
-- case, is looked up apart by its own index: the planner would rather walk back in time, and may find none.
-- name: ListDeployments :many
SELECT d.* FROM deployment_records AS d
WHERE d.account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (d.created_at, d.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('product_id')::uuid IS NULL OR d.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('environment_id')::uuid IS NULL OR d.environment_id = sqlc.narg('environment_id')::uuid)
  AND (sqlc.narg('version_id')::uuid IS NULL OR d.version_id = sqlc.narg('version_id')::uuid)
  AND (sqlc.narg('version')::text IS NULL OR d.version = sqlc.narg('version')::text)
  AND (sqlc.narg('status')::text IS NULL OR d.status = sqlc.narg('status')::text)
  AND (sqlc.narg('commit')::text IS NULL OR d.id = ANY (ARRAY(
    SELECT x.id FROM deployments AS x
    WHERE x.account_id = @account_id
      AND x.commit_key >= sqlc.narg('commit')::text AND x.commit_key < sqlc.narg('commit')::text || chr(1114111))))
  AND (sqlc.narg('since')::timestamptz IS NULL OR d.created_at >= sqlc.narg('since')::timestamptz)
  AND (sqlc.narg('until')::timestamptz IS NULL OR d.created_at < sqlc.narg('until')::timestamptz)
ORDER BY d.created_at DESC, d.id DESC
LIMIT @row_limit;

-- GetDeployment returns one deployment.
-- name: GetDeployment :one
SELECT * FROM deployment_records
WHERE account_id = @account_id AND id = @id;

-- ListEnvironmentState tells what runs where, a row for each product and environment, by their identifiers. Drift looks at
-- the product's other environments; versions_behind counts the product's newer versions that have completed somewhere.
-- name: ListEnvironmentState :many
SELECT
  s.product_id, p.name AS product_name, s.environment_id, e.name AS environment_name, e.type AS environment_type,
  s.deployment_id, s.since, d.version_id, v.version, d.deployed_by, d.deployed_by_name,
  s.in_progress_id, i.created_at AS in_progress_since, iv.version AS in_progress_version,
  EXISTS (
    SELECT FROM current_state AS os
    JOIN deployments AS od ON od.account_id = os.account_id AND od.id = os.deployment_id
    JOIN environments AS oe ON oe.account_id = os.account_id AND oe.id = os.environment_id AND oe.deleted_at IS NULL
    WHERE os.account_id = s.account_id AND os.product_id = s.product_id AND od.version_id <> d.version_id
  ) AS drifts,
  (
    SELECT count(*) FROM versions AS nv
    WHERE nv.product_id = s.product_id AND nv.created_at > v.created_at
      AND EXISTS (SELECT FROM deployments AS nd WHERE nd.version_id = nv.id AND nd.status = 'completed')
  ) AS versions_behind
FROM current_state AS s
JOIN products AS p ON p.account_id = s.account_id AND p.id = s.product_id AND p.deleted_at IS NULL
JOIN environments AS e ON e.account_id = s.account_id AND e.id = s.environment_id AND e.deleted_at IS NULL
LEFT JOIN deployments AS d ON d.account_id = s.account_id AND d.id = s.deployment_id
LEFT JOIN versions AS v ON v.account_id = s.account_id AND v.id = d.version_id
LEFT JOIN deployments AS i ON i.account_id = s.account_id AND i.id = s.in_progress_id
LEFT JOIN versions AS iv ON iv.account_id = s.account_id AND iv.id = i.version_id
WHERE s.account_id = @account_id
  AND (sqlc.narg('after_product_id')::uuid IS NULL
    OR (s.product_id, s.environment_id) > (sqlc.narg('after_product_id')::uuid, sqlc.narg('after_environment_id')::uuid))
  AND (sqlc.narg('product_id')::uuid IS NULL OR s.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('environment_id')::uuid IS NULL OR s.environment_id = sqlc.narg('environment_id')::uuid)
  AND (sqlc.narg('type')::text IS NULL OR e.type = sqlc.narg('type')::text)
ORDER BY s.product_id, s.environment_id
LIMIT @row_limit;
