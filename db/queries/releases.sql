-- ListReleases returns a page of the account's releases, newest first. Those of a version are found by its own index: the planner would
-- prefer a scan backwards in time, which may find none.
-- name: ListReleases :many
SELECT sqlc.embed(r), (
    SELECT count(*) FROM release_versions AS rv
    JOIN products AS p ON p.account_id = @account_id AND p.id = rv.product_id AND p.deleted_at IS NULL
    WHERE rv.account_id = @account_id AND rv.release_id = r.id
  ) AS version_count
FROM releases AS r
WHERE r.account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (r.created_at, r.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(r.name), lower(sqlc.narg('q')::text)) > 0)
  AND (sqlc.narg('status')::text IS NULL OR r.status = sqlc.narg('status')::text)
  AND (sqlc.narg('version_id')::uuid IS NULL OR r.id = ANY (ARRAY(
    SELECT x.release_id FROM release_versions AS x
    JOIN products AS p ON p.account_id = @account_id AND p.id = x.product_id AND p.deleted_at IS NULL
    WHERE x.account_id = @account_id AND x.version_id = sqlc.narg('version_id')::uuid)))
ORDER BY r.created_at DESC, r.id DESC
LIMIT @row_limit;

-- GetRelease returns one release.
-- name: GetRelease :one
SELECT sqlc.embed(r), (
    SELECT count(*) FROM release_versions AS rv
    JOIN products AS p ON p.account_id = @account_id AND p.id = rv.product_id AND p.deleted_at IS NULL
    WHERE rv.account_id = @account_id AND rv.release_id = r.id
  ) AS version_count
FROM releases AS r
WHERE r.account_id = @account_id AND r.id = @id;

-- GetReleaseForUpdate returns one release and locks it until the transaction ends.
-- name: GetReleaseForUpdate :one
SELECT * FROM releases
WHERE account_id = @account_id AND id = @id
FOR UPDATE;

-- CreateRelease inserts a release.
-- name: CreateRelease :one
INSERT INTO releases (account_id, id, name, description, status, extra_metadata, created_at, updated_at)
VALUES (@account_id, @id, @name, @description, @status, @extra_metadata, @now, @now)
RETURNING *;

-- UpdateRelease updates mutable columns and increments the revision.
-- name: UpdateRelease :one
UPDATE releases
SET name = @name, description = @description, status = @status, extra_metadata = @extra_metadata, revision = revision + 1, updated_at = @now
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteRelease removes a release and its list of versions.
-- name: DeleteRelease :exec
DELETE FROM releases
WHERE account_id = @account_id AND id = @id;

-- ListReleaseVersions returns a page of a release's versions, newest first: one for each product at most, which are sorted. The planner
-- would prefer to look up all versions of the account in the release, newest first.
-- name: ListReleaseVersions :many
SELECT v.* FROM version_details AS v
WHERE v.account_id = @account_id
  AND v.id = ANY (ARRAY(SELECT rv.version_id FROM release_versions AS rv WHERE rv.account_id = @account_id AND rv.release_id = @release_id))
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (v.created_at, v.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY v.created_at DESC, v.id DESC
LIMIT @row_limit;

-- GetVersionOfRelease returns the version of a product in a release.
-- name: GetVersionOfRelease :one
SELECT v.* FROM release_versions AS rv
JOIN version_details AS v ON v.account_id = @account_id AND v.id = rv.version_id
WHERE rv.account_id = @account_id AND rv.release_id = @release_id AND rv.product_id = @product_id;

-- PutReleaseVersion adds a version to a release, or replaces another one of its product. The number of rows is 0 if nothing changed.
-- name: PutReleaseVersion :execrows
INSERT INTO release_versions AS rv (account_id, release_id, product_id, version_id)
VALUES (@account_id, @release_id, @product_id, @version_id)
ON CONFLICT (account_id, release_id, product_id) DO UPDATE SET version_id = excluded.version_id
WHERE rv.version_id <> excluded.version_id;

-- RemoveReleaseVersion removes a version from a release.
-- name: RemoveReleaseVersion :execrows
DELETE FROM release_versions
WHERE account_id = @account_id AND release_id = @release_id AND version_id = @version_id;

-- ListReleaseProgress returns a page of the grid product x environment of a release, in the order of their identifiers, with
-- the deployments that decide a cell: the current one of the pair, the last finished one of the version there (aborted ones do
-- not count), and the unfinished ones of the pair. They are read for the cells of the page only.
-- finished_deployment_id is the nil UUID if there is none.
-- name: ListReleaseProgress :many
SELECT v.product_id, v.product_name, v.id AS version_id, v.version, c.environment_id, c.environment_name, c.environment_type,
  s.current_deployment_id, coalesce(s.open_deployment_ids, '{}')::uuid[] AS open_deployment_ids, coalesce(f.id, '00000000-0000-0000-0000-000000000000')::uuid AS finished_deployment_id
FROM (
  SELECT rv.product_id, rv.version_id, e.id AS environment_id, e.name AS environment_name, e.type AS environment_type
  FROM release_versions AS rv
  JOIN environments AS e ON e.account_id = @account_id AND e.deleted_at IS NULL
  WHERE rv.account_id = @account_id AND rv.release_id = @release_id
    AND (sqlc.narg('after_product_id')::uuid IS NULL
      OR (rv.product_id, e.id) > (sqlc.narg('after_product_id')::uuid, sqlc.narg('after_environment_id')::uuid))
  ORDER BY rv.product_id, e.id
  LIMIT @row_limit
) AS c
JOIN version_details AS v ON v.account_id = @account_id AND v.id = c.version_id
LEFT JOIN environment_state AS s ON s.account_id = @account_id AND s.product_id = c.product_id AND s.environment_id = c.environment_id
LEFT JOIN LATERAL (
  SELECT x.id FROM deployments AS x
  WHERE x.account_id = @account_id AND x.version_id = c.version_id AND x.environment_id = c.environment_id AND x.status IN ('completed', 'failed')
  ORDER BY x.completed_at DESC, x.id DESC
  LIMIT 1
) AS f ON true
ORDER BY c.product_id, c.environment_id;
