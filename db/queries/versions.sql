-- ListVersions returns a page of the account's versions, newest first. A commit (whole or abbreviated, in lower case) is that
-- of the version or of any of its builds or deployments, each found by its own index.
-- name: ListVersions :many
SELECT v.* FROM version_details AS v
WHERE v.account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (v.created_at, v.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('product_id')::uuid IS NULL OR v.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('commit')::text IS NULL OR v.id = ANY (ARRAY(
    SELECT x.id FROM versions AS x
    WHERE x.account_id = @account_id
      AND x.commit_key >= sqlc.narg('commit')::text AND x.commit_key < sqlc.narg('commit')::text || chr(1114111)
    UNION
    SELECT b.version_id FROM builds AS b
    WHERE b.account_id = @account_id
      AND b.commit_key >= sqlc.narg('commit')::text AND b.commit_key < sqlc.narg('commit')::text || chr(1114111)
    UNION
    SELECT d.version_id FROM deployments AS d
    WHERE d.account_id = @account_id
      AND d.commit_key >= sqlc.narg('commit')::text AND d.commit_key < sqlc.narg('commit')::text || chr(1114111))))
ORDER BY v.created_at DESC, v.id DESC
LIMIT @row_limit;

-- SearchVersions returns a page of the account's versions that begin with a text, in the reverse order of their bytes: any number of
-- versions may begin with it, and an index has them in this order.
-- name: SearchVersions :many
SELECT v.* FROM version_details AS v
WHERE v.account_id = @account_id
  AND v.version COLLATE "C" >= @q::text AND v.version COLLATE "C" < @q::text || chr(1114111)
  AND (sqlc.narg('after_name')::text IS NULL OR (v.version COLLATE "C", v.id) < (sqlc.narg('after_name')::text, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('product_id')::uuid IS NULL OR v.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('commit')::text IS NULL OR v.id = ANY (ARRAY(
    SELECT x.id FROM versions AS x
    WHERE x.account_id = @account_id
      AND x.commit_key >= sqlc.narg('commit')::text AND x.commit_key < sqlc.narg('commit')::text || chr(1114111)
    UNION
    SELECT b.version_id FROM builds AS b
    WHERE b.account_id = @account_id
      AND b.commit_key >= sqlc.narg('commit')::text AND b.commit_key < sqlc.narg('commit')::text || chr(1114111)
    UNION
    SELECT d.version_id FROM deployments AS d
    WHERE d.account_id = @account_id
      AND d.commit_key >= sqlc.narg('commit')::text AND d.commit_key < sqlc.narg('commit')::text || chr(1114111))))
ORDER BY v.version COLLATE "C" DESC, v.id DESC
LIMIT @row_limit;

-- GetVersion returns one version.
-- name: GetVersion :one
SELECT * FROM version_details
WHERE account_id = @account_id AND id = @id;

-- LoadVersions returns the known versions of a batch of deployment events.
-- name: LoadVersions :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.version::text AS version, pn.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@versions::text[])) AS k (account_id, product_name, version)
  JOIN product_names AS pn ON pn.account_id = k.account_id AND pn.name = k.product_name
)
SELECT v.account_id, v.id, v.product_id, v.version, v.scm_branch, v.scm_repository, v.occurred_at,
  v.first_completed_at, v.dev_completed_at, v.test_completed_at, v.staging_completed_at
FROM of_products AS k
JOIN versions AS v ON v.account_id = k.account_id AND v.product_id = k.product_id AND v.version = k.version;

-- LockVersions locks the versions of a batch of build events, in the order of their keys, until the transaction ends, and
-- their products against deletion. Deployments that reference the versions are not blocked.
-- name: LockVersions :many
WITH of_products AS MATERIALIZED (
  SELECT k.account_id::uuid AS account_id, k.product_name::text AS product_name, k.version::text AS version, pn.product_id
  FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@product_names::text[]), unnest(@versions::text[])) AS k (account_id, product_name, version)
  JOIN product_names AS pn ON pn.account_id = k.account_id AND pn.name = k.product_name
), of_locked_products AS MATERIALIZED (
  SELECT k.account_id, k.product_name, k.version, k.product_id, p.name, p.deleted_at
  FROM of_products AS k
  JOIN products AS p ON p.account_id = k.account_id AND p.id = k.product_id
  ORDER BY p.account_id, p.id
  FOR KEY SHARE OF p
)
SELECT k.product_name AS name_in_event, k.name AS product_name,
  v.account_id, v.id, v.product_id, v.version, v.scm_sha, v.scm_branch, v.scm_repository, v.latest_build_id, v.open_build_ids, v.occurred_at
FROM of_locked_products AS k
JOIN versions AS v ON v.account_id = k.account_id AND v.product_id = k.product_id AND v.version = k.version
WHERE k.deleted_at IS NULL
ORDER BY v.account_id, v.id
FOR NO KEY UPDATE OF v;

-- InsertVersions inserts the versions that a batch of events mentions first, in the order of their keys. Where a concurrent
-- transaction was first, nothing is inserted and the batch runs again.
-- name: InsertVersions :exec
INSERT INTO versions (account_id, id, product_id, version, semver_key, occurred_at,
  first_completed_at, dev_completed_at, test_completed_at, staging_completed_at, created_at)
SELECT k.account_id, k.id, pn.product_id, k.version, nullif(k.semver_key, ''), nullif(k.occurred_at, '0001-01-01 00:00:00+00'),
  nullif(k.first_completed_at, '0001-01-01 00:00:00+00'), nullif(k.dev_completed_at, '0001-01-01 00:00:00+00'),
  nullif(k.test_completed_at, '0001-01-01 00:00:00+00'), nullif(k.staging_completed_at, '0001-01-01 00:00:00+00'), k.created_at
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@ids::uuid[]), unnest(@product_names::text[]), unnest(@versions::text[]), unnest(@semver_keys::text[]),
    unnest(@occurred_at::timestamptz[]), unnest(@first_completed_at::timestamptz[]), unnest(@dev_completed_at::timestamptz[]),
    unnest(@test_completed_at::timestamptz[]), unnest(@staging_completed_at::timestamptz[]), unnest(@created_at::timestamptz[]))
  AS k (account_id, id, product_name, version, semver_key, occurred_at, first_completed_at, dev_completed_at, test_completed_at,
    staging_completed_at, created_at)
JOIN product_names AS pn ON pn.account_id = k.account_id AND pn.name = k.product_name
ORDER BY k.account_id, pn.product_id, k.version COLLATE "C"
ON CONFLICT (product_id, version, account_id) DO NOTHING;

-- LockVersionsByID locks versions in the order of their keys: two batches never wait for each other.
-- name: LockVersionsByID :exec
SELECT FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@ids::uuid[])) AS k (account_id, id)
JOIN versions AS v ON v.account_id = k.account_id AND v.id = k.id
ORDER BY v.account_id, v.id
FOR NO KEY UPDATE OF v;

-- UpdateVersionMilestones records the first completed deployments of versions that LockVersionsByID has locked. The earlier
-- time wins, in whatever order transactions commit.
-- name: UpdateVersionMilestones :exec
UPDATE versions AS v
SET occurred_at = least(v.occurred_at, nullif(k.occurred_at, '0001-01-01 00:00:00+00')),
  first_completed_at = least(v.first_completed_at, nullif(k.first_completed_at, '0001-01-01 00:00:00+00')),
  dev_completed_at = least(v.dev_completed_at, nullif(k.dev_completed_at, '0001-01-01 00:00:00+00')),
  test_completed_at = least(v.test_completed_at, nullif(k.test_completed_at, '0001-01-01 00:00:00+00')),
  staging_completed_at = least(v.staging_completed_at, nullif(k.staging_completed_at, '0001-01-01 00:00:00+00'))
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@ids::uuid[]), unnest(@occurred_at::timestamptz[]), unnest(@first_completed_at::timestamptz[]),
    unnest(@dev_completed_at::timestamptz[]), unnest(@test_completed_at::timestamptz[]), unnest(@staging_completed_at::timestamptz[]))
  AS k (account_id, id, occurred_at, first_completed_at, dev_completed_at, test_completed_at, staging_completed_at)
WHERE v.account_id = k.account_id AND v.id = k.id;

-- UpdateVersionBuilds stores the state of the builds of versions that LockVersions has locked.
-- name: UpdateVersionBuilds :exec
UPDATE versions AS v
SET scm_sha = nullif(k.scm_sha, ''), scm_branch = nullif(k.scm_branch, ''), scm_repository = nullif(k.scm_repository, ''),
  latest_build_id = k.latest_build_id, open_build_ids = string_to_array(k.open_build_ids, ',')::uuid[],
  occurred_at = nullif(k.occurred_at, '0001-01-01 00:00:00+00')
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@ids::uuid[]), unnest(@scm_shas::text[]), unnest(@scm_branches::text[]),
    unnest(@scm_repositories::text[]), unnest(@latest_build_ids::uuid[]), unnest(@open_build_ids::text[]), unnest(@occurred_at::timestamptz[]))
  AS k (account_id, id, scm_sha, scm_branch, scm_repository, latest_build_id, open_build_ids, occurred_at)
WHERE v.account_id = k.account_id AND v.id = k.id;
