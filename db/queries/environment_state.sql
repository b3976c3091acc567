-- InsertEnvironmentStates inserts the state rows of pairs that a batch of events mentions first, after their names, in the
-- order of the key. The products and environments are locked against deletion.
-- name: InsertEnvironmentStates :exec
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.environment_name::text AS environment_name, pn.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@environment_names::text[]))
    AS k (account_id, product_name, environment_name)
  JOIN product_names AS pn ON pn.account_id = k.account_id AND pn.name = k.product_name
), of_pairs AS MATERIALIZED (
  SELECT k.account_id, k.product_id, en.environment_id
  FROM of_products AS k
  JOIN environment_names AS en ON en.account_id = k.account_id AND en.name = k.environment_name
), of_locked_products AS MATERIALIZED (
  SELECT k.account_id, k.product_id, k.environment_id, p.deleted_at
  FROM of_pairs AS k
  JOIN products AS p ON p.account_id = k.account_id AND p.id = k.product_id
  ORDER BY p.account_id, p.id
  FOR KEY SHARE OF p
), of_locked_environments AS MATERIALIZED (
  SELECT k.account_id, k.product_id, k.environment_id, e.deleted_at
  FROM of_locked_products AS k
  JOIN environments AS e ON e.account_id = k.account_id AND e.id = k.environment_id
  WHERE k.deleted_at IS NULL
  ORDER BY e.account_id, e.id
  FOR KEY SHARE OF e
)
INSERT INTO environment_state (account_id, product_id, environment_id)
SELECT k.account_id, k.product_id, k.environment_id
FROM of_locked_environments AS k
WHERE k.deleted_at IS NULL
ORDER BY k.account_id, k.product_id, k.environment_id
ON CONFLICT (account_id, product_id, environment_id) DO NOTHING;

-- LockEnvironmentStates locks the pairs of a batch of deployment events, in the order of the key, until the transaction ends.
-- A deleted product or environment has no rows. One table joins at a time, by all columns of an index: the plan is the same
-- with and without statistics.
-- name: LockEnvironmentStates :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.product_name::text AS product_name, k.environment_name::text AS environment_name, pn.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@environment_names::text[]))
    AS k (account_id, product_name, environment_name)
  JOIN product_names AS pn ON pn.account_id = k.account_id AND pn.name = k.product_name
), of_pairs AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.environment_name, k.product_id, en.environment_id
  FROM of_products AS k
  JOIN environment_names AS en ON en.account_id = k.account_id AND en.name = k.environment_name
), named AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.environment_name, k.product_id, k.environment_id, p.name
  FROM of_pairs AS k
  JOIN products AS p ON p.account_id = k.account_id AND p.id = k.product_id
), typed AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.environment_name, k.product_id, k.environment_id, k.name, e.name AS environment, e.type
  FROM named AS k
  JOIN environments AS e ON e.account_id = k.account_id AND e.id = k.environment_id
)
SELECT k.product_name AS product_name_in_event, k.environment_name AS environment_name_in_event,
  k.name AS product_name, k.environment AS environment_name, k.type AS environment_type,
  s.account_id, s.product_id, s.environment_id, s.current_deployment_id, s.current_since, s.latest_deployment_id, s.open_deployment_ids
FROM typed AS k
JOIN environment_state AS s ON s.account_id = k.account_id AND s.product_id = k.product_id AND s.environment_id = k.environment_id
ORDER BY s.account_id, s.product_id, s.environment_id
FOR UPDATE OF s;

-- UpdateEnvironmentStates stores the state of pairs that LockEnvironmentStates has locked. No index covers what changes, so
-- that updates stay within their page.
-- name: UpdateEnvironmentStates :exec
UPDATE environment_state AS s
SET current_deployment_id = nullif(k.current_deployment_id, '00000000-0000-0000-0000-000000000000'),
  current_since = nullif(k.current_since, '0001-01-01 00:00:00+00'), latest_deployment_id = k.latest_deployment_id,
  open_deployment_ids = string_to_array(k.open_deployment_ids, ',')::uuid[]
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_ids::uuid[]), unnest(@environment_ids::uuid[]), unnest(@current_deployment_ids::uuid[]),
    unnest(@current_since::timestamptz[]), unnest(@latest_deployment_ids::uuid[]), unnest(@open_deployment_ids::text[]))
  AS k (account_id, product_id, environment_id, current_deployment_id, current_since, latest_deployment_id, open_deployment_ids)
WHERE s.account_id = k.account_id AND s.product_id = k.product_id AND s.environment_id = k.environment_id;

-- LockEnvironmentStatesOfProduct locks the state rows of a product before it is deleted, in the order in which events lock.
-- name: LockEnvironmentStatesOfProduct :many
SELECT environment_id FROM environment_state
WHERE account_id = @account_id AND product_id = @product_id
ORDER BY account_id, product_id, environment_id
FOR UPDATE;

-- LockEnvironmentStatesOfEnvironment locks the state rows of an environment before it is deleted, in the order in which
-- events lock.
-- name: LockEnvironmentStatesOfEnvironment :many
SELECT product_id FROM environment_state
WHERE account_id = @account_id AND environment_id = @environment_id
ORDER BY account_id, product_id, environment_id
FOR UPDATE;

-- DeleteEnvironmentStatesOfProduct deletes the state rows of a deleted product: it has no current versions.
-- name: DeleteEnvironmentStatesOfProduct :exec
DELETE FROM environment_state
WHERE account_id = @account_id AND product_id = @product_id;

-- DeleteEnvironmentStatesOfEnvironment deletes the state rows of a deleted environment.
-- name: DeleteEnvironmentStatesOfEnvironment :exec
DELETE FROM environment_state
WHERE account_id = @account_id AND environment_id = @environment_id;

-- ListEnvironmentState returns a row for each product and environment with its current version, by their identifiers. Drift compares
-- the product's environments; versions_behind counts the product's newer versions that have completed somewhere: newer by
-- SemVer precedence where both are SemVer, else by the first build or completion. It stops at 100: an environment that is not used any more would
-- have all of them counted.
-- name: ListEnvironmentState :many
SELECT
  s.product_id, p.name AS product_name, s.environment_id, e.name AS environment_name, e.type AS environment_type,
  s.current_deployment_id, s.current_since, d.version_id, v.version, d.deployed_by, d.deployed_by_name, s.latest_deployment_id, s.open_deployment_ids,
  EXISTS (
    SELECT FROM environment_state AS os
    JOIN deployments AS od ON od.account_id = @account_id AND od.id = os.current_deployment_id
    WHERE os.account_id = @account_id AND os.product_id = s.product_id AND od.version_id <> d.version_id
  ) AS has_drift,
  (
    SELECT count(*) FROM (
      SELECT FROM versions AS nv
      WHERE nv.account_id = @account_id AND nv.product_id = s.product_id AND nv.first_completed_at IS NOT NULL AND nv.semver_key > v.semver_key
      UNION ALL
      SELECT FROM versions AS nv
      WHERE nv.account_id = @account_id AND nv.product_id = s.product_id AND nv.first_completed_at IS NOT NULL
        AND nv.semver_key IS NULL AND nv.occurred_at > v.occurred_at AND v.semver_key IS NOT NULL
      UNION ALL
      SELECT FROM versions AS nv
      WHERE nv.account_id = @account_id AND nv.product_id = s.product_id AND nv.first_completed_at IS NOT NULL
        AND nv.occurred_at > v.occurred_at AND v.semver_key IS NULL
      LIMIT 100
    ) AS newer
  ) AS versions_behind
FROM environment_state AS s
JOIN products AS p ON p.account_id = @account_id AND p.id = s.product_id AND p.deleted_at IS NULL
JOIN environments AS e ON e.account_id = @account_id AND e.id = s.environment_id AND e.deleted_at IS NULL
LEFT JOIN deployments AS d ON d.account_id = @account_id AND d.id = s.current_deployment_id
LEFT JOIN versions AS v ON v.account_id = @account_id AND v.id = d.version_id
WHERE s.account_id = @account_id
  AND (sqlc.narg('after_product_id')::uuid IS NULL
    OR (s.product_id, s.environment_id) > (sqlc.narg('after_product_id')::uuid, sqlc.narg('after_environment_id')::uuid))
  AND (sqlc.narg('product_id')::uuid IS NULL OR s.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('environment_id')::uuid IS NULL OR s.environment_id = sqlc.narg('environment_id')::uuid)
  AND (sqlc.narg('type')::text IS NULL OR e.type = sqlc.narg('type')::text)
ORDER BY s.product_id, s.environment_id
LIMIT @row_limit;
