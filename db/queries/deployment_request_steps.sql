-- ListRequestStepsPage returns a page of the steps of a request, newest first.
-- name: ListRequestStepsPage :many
SELECT * FROM deployment_request_steps
WHERE account_id = @account_id AND request_id = @request_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetRequestStep returns one step.
-- name: GetRequestStep :one
SELECT * FROM deployment_request_steps
WHERE account_id = @account_id AND request_id = @request_id AND id = @id;

-- CountRequestSteps returns how many steps a request has, and the position behind the last one of a phase.
-- name: CountRequestSteps :one
SELECT count(*) AS steps, (coalesce(max(position) FILTER (WHERE phase = @phase), -1) + 1)::bigint AS next_position FROM deployment_request_steps
WHERE account_id = @account_id AND request_id = @request_id;

-- CreateRequestStep inserts a step that is not done.
-- name: CreateRequestStep :one
INSERT INTO deployment_request_steps (account_id, id, request_id, phase, title, description, position, created_at)
VALUES (@account_id, @id, @request_id, @phase, @title, @description, @position, @now)
RETURNING *;

-- FinishRequestStep stores whether a step is done.
-- name: FinishRequestStep :one
UPDATE deployment_request_steps
SET completed_by = sqlc.narg('completed_by'), completed_by_name = sqlc.narg('completed_by_name'), completed_at = sqlc.narg('completed_at')
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteRequestStep removes a step.
-- name: DeleteRequestStep :exec
DELETE FROM deployment_request_steps
WHERE account_id = @account_id AND id = @id;
