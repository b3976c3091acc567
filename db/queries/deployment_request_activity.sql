-- CreateRequestActivity records what has happened to a request.
-- name: CreateRequestActivity :exec
INSERT INTO deployment_request_activity (account_id, id, request_id, occurred_at, action, status, activation, subject, comments, actor_id, actor_name)
VALUES (@account_id, @id, @request_id, @now, @action, @status, @activation, sqlc.narg('subject'), sqlc.narg('comments'), sqlc.narg('actor_id'),
  sqlc.narg('actor_name'));

-- CountRequestActivations returns how often a request was activated after a time, up to a number.
-- name: CountRequestActivations :one
SELECT count(*) FROM (
  SELECT FROM deployment_request_activity
  WHERE account_id = @account_id AND request_id = @request_id AND action = 'activate' AND occurred_at > @since
  LIMIT @max_count
) AS x;

-- ListRequestActivity returns a page of what has happened to a request, newest first.
-- name: ListRequestActivity :many
SELECT * FROM deployment_request_activity
WHERE account_id = @account_id AND request_id = @request_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (occurred_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY occurred_at DESC, id DESC
LIMIT @row_limit;

-- CreateRequestComment inserts a comment on a request.
-- name: CreateRequestComment :one
INSERT INTO deployment_request_comments (account_id, id, request_id, body, created_by, created_by_name, created_at)
VALUES (@account_id, @id, @request_id, @body, @created_by, @created_by_name, @now)
RETURNING *;

-- ListRequestComments returns a page of the comments on a request, newest first.
-- name: ListRequestComments :many
SELECT * FROM deployment_request_comments
WHERE account_id = @account_id AND request_id = @request_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;
