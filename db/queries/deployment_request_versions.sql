-- ListRequestVersions returns a page of a request's versions, newest first: one for each product at most, which are sorted.
-- name: ListRequestVersions :many
SELECT v.* FROM version_details AS v
WHERE v.account_id = @account_id
  AND v.id = ANY (ARRAY(SELECT x.version_id FROM deployment_request_versions AS x WHERE x.account_id = @account_id AND x.request_id = @request_id))
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (v.created_at, v.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY v.created_at DESC, v.id DESC
LIMIT @row_limit;

-- CountRequestVersions counts the versions of a request whose products are not deleted.
-- name: CountRequestVersions :one
SELECT count(*) FROM deployment_request_versions AS x
JOIN products AS p ON p.account_id = @account_id AND p.id = x.product_id AND p.deleted_at IS NULL
WHERE x.account_id = @account_id AND x.request_id = @request_id;

-- GetRequestVersion returns the version of a product in a request.
-- name: GetRequestVersion :one
SELECT v.* FROM deployment_request_versions AS x
JOIN version_details AS v ON v.account_id = @account_id AND v.id = x.version_id
WHERE x.account_id = @account_id AND x.request_id = @request_id AND x.product_id = @product_id;

-- CountOpenRequestsOfVersion returns how many requests that are neither completed nor cancelled name a version.
-- name: CountOpenRequestsOfVersion :one
SELECT count(*) FROM deployment_request_versions AS x
JOIN deployment_requests AS r ON r.account_id = @account_id AND r.id = x.request_id
WHERE x.account_id = @account_id AND x.version_id = @version_id AND x.is_open AND r.deleted_at IS NULL AND r.status IN ('draft', 'in_progress', 'approved', 'rejected');

-- PutRequestVersion adds a version to a request, or replaces another one of its product. The number of rows is 0 if nothing changed.
-- name: PutRequestVersion :execrows
INSERT INTO deployment_request_versions AS x (account_id, request_id, product_id, version_id)
VALUES (@account_id, @request_id, @product_id, @version_id)
ON CONFLICT (account_id, request_id, product_id) DO UPDATE SET version_id = excluded.version_id
WHERE x.version_id <> excluded.version_id;

-- RemoveRequestVersion removes a version from a request.
-- name: RemoveRequestVersion :execrows
DELETE FROM deployment_request_versions
WHERE account_id = @account_id AND request_id = @request_id AND version_id = @version_id;

-- CloseRequestVersions marks the versions of a request that is completed, cancelled or deleted: no start of a deployment reads them.
-- name: CloseRequestVersions :exec
UPDATE deployment_request_versions
SET is_open = false
WHERE account_id = @account_id AND request_id = @request_id;
