-- ListReleases returns a page of the account's releases, newest first.
-- name: ListReleases :many
SELECT sqlc.embed(r), (SELECT count(*) FROM release_versions AS rv JOIN products AS p ON p.account_id = rv.account_id AND p.id = rv.product_id AND p.deleted_at IS NULL WHERE rv.account_id = r.account_id AND rv.release_id = r.id) AS version_count
FROM releases AS r
WHERE r.account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (r.created_at, r.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(r.name), lower(sqlc.narg('q')::text)) > 0)
  AND (sqlc.narg('status')::text IS NULL OR r.status = sqlc.narg('status')::text)
ORDER BY r.created_at DESC, r.id DESC
LIMIT @row_limit;

-- GetRelease returns one release.
-- name: GetRelease :one
SELECT sqlc.embed(r), (SELECT count(*) FROM release_versions AS rv JOIN products AS p ON p.account_id = rv.account_id AND p.id = rv.product_id AND p.deleted_at IS NULL WHERE rv.account_id = r.account_id AND rv.release_id = r.id) AS version_count
FROM releases AS r
WHERE r.account_id = @account_id AND r.id = @id;

-- GetReleaseForUpdate returns one release, which nobody else can change until the transaction ends.
-- name: GetReleaseForUpdate :one
SELECT * FROM releases
WHERE account_id = @account_id AND id = @id
FOR UPDATE;

-- CreateRelease makes a release, a draft.
-- name: CreateRelease :one
INSERT INTO releases (account_id, name, description, extra_metadata)
VALUES (@account_id, @name, @description, @extra_metadata)
RETURNING *;

-- UpdateRelease writes what may change and counts the revision on.
-- name: UpdateRelease :one
UPDATE releases
SET name = @name, description = @description, status = @status, extra_metadata = @extra_metadata, revision = revision + 1, updated_at = record_time()
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteRelease removes a release and what it was composed of.
-- name: DeleteRelease :exec
DELETE FROM releases
WHERE account_id = @account_id AND id = @id;

-- ListReleaseVersions returns a page of a release's versions, newest first.
-- name: ListReleaseVersions :many
SELECT v.* FROM release_versions AS rv
JOIN version_records AS v ON v.account_id = rv.account_id AND v.id = rv.version_id
WHERE rv.account_id = @account_id AND rv.release_id = @release_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (v.created_at, v.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY v.created_at DESC, v.id DESC
LIMIT @row_limit;

-- PutReleaseVersion adds a version to a release, in the place of another one of its product. It tells whether anything
-- changed by the number of rows.
-- name: PutReleaseVersion :execrows
INSERT INTO release_versions AS rv (account_id, release_id, product_id, version_id)
VALUES (@account_id, @release_id, @product_id, @version_id)
ON CONFLICT (account_id, release_id, product_id) DO UPDATE SET version_id = excluded.version_id
WHERE rv.version_id <> excluded.version_id;

-- RemoveReleaseVersion takes a version out of a release.
-- name: RemoveReleaseVersion :execrows
DELETE FROM release_versions
WHERE account_id = @account_id AND release_id = @release_id AND version_id = @version_id;

-- ListReleaseProgress tells the latest deployment of each version of a release in each environment, by product and
-- environment. Environments that a version never reached are in it too.
-- name: ListReleaseProgress :many
SELECT v.product_id, v.product_name, v.id AS version_id, v.version, e.id AS environment_id, e.name AS environment_name, e.type AS environment_type,
  d.id AS deployment_id, d.status, d.deployed_at
FROM release_versions AS rv
JOIN version_records AS v ON v.account_id = rv.account_id AND v.id = rv.version_id
JOIN environments AS e ON e.account_id = rv.account_id AND e.deleted_at IS NULL
LEFT JOIN deployments AS d ON d.account_id = rv.account_id AND d.id = (
  SELECT x.id FROM deployments AS x
  WHERE x.version_id = rv.version_id AND x.environment_id = e.id
  ORDER BY x.created_at DESC, x.id DESC
  LIMIT 1
)
WHERE rv.account_id = @account_id AND rv.release_id = @release_id
ORDER BY v.product_name, v.product_id, e.name, e.id;
