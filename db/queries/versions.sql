-- ListVersions returns a page of the account's versions, newest first. A commit may be abbreviated: it is given as a
-- pattern in lower case.
-- name: ListVersions :many
SELECT * FROM version_records
WHERE account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('product_id')::uuid IS NULL OR product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('scm_sha_pattern')::text IS NULL OR lower(scm_sha) LIKE sqlc.narg('scm_sha_pattern')::text)
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(version), lower(sqlc.narg('q')::text)) > 0)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetVersion returns one version.
-- name: GetVersion :one
SELECT * FROM version_records
WHERE account_id = @account_id AND id = @id;
