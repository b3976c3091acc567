-- ListVersions returns a page of the account's versions, newest first. A commit, given whole or abbreviated in lower
-- case, is looked up apart by its own index.
-- name: ListVersions :many
SELECT v.* FROM version_records AS v
WHERE v.account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (v.created_at, v.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('product_id')::uuid IS NULL OR v.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('commit')::text IS NULL OR v.id = ANY (ARRAY(
    SELECT x.id FROM versions AS x
    WHERE x.account_id = @account_id
      AND x.commit_key >= sqlc.narg('commit')::text AND x.commit_key < sqlc.narg('commit')::text || chr(1114111))))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(v.version), lower(sqlc.narg('q')::text)) > 0)
ORDER BY v.created_at DESC, v.id DESC
LIMIT @row_limit;

-- GetVersion returns one version.
-- name: GetVersion :one
SELECT * FROM version_records
WHERE account_id = @account_id AND id = @id;
