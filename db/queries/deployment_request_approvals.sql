-- ListRequestSlots returns the slots of requests, as they were added: one of each type at most.
-- name: ListRequestSlots :many
SELECT * FROM deployment_request_approvals
WHERE account_id = @account_id AND request_id = ANY (@requests::uuid[])
ORDER BY request_id, created_at, id;

-- ListRequestSlotsPage returns a page of the slots of a request, newest first.
-- name: ListRequestSlotsPage :many
SELECT * FROM deployment_request_approvals
WHERE account_id = @account_id AND request_id = @request_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- CreateRequestSlot inserts an open slot. No row is returned when the request has one of the type.
-- name: CreateRequestSlot :one
INSERT INTO deployment_request_approvals (account_id, id, request_id, approval_type, required, created_at)
VALUES (@account_id, @id, @request_id, @approval_type, @required, @now)
ON CONFLICT (account_id, request_id, approval_type) DO NOTHING
RETURNING *;

-- DecideRequestSlot stores the latest decision in a slot, or none.
-- name: DecideRequestSlot :one
UPDATE deployment_request_approvals
SET status = @status, decided_by = sqlc.narg('decided_by'), decided_by_name = sqlc.narg('decided_by_name'), approver_role = sqlc.narg('approver_role'),
  decided_at = sqlc.narg('decided_at'), comments = sqlc.narg('comments')
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- VoidRequestSlots removes the decisions from all slots of a request.
-- name: VoidRequestSlots :exec
UPDATE deployment_request_approvals
SET status = 'pending', decided_by = NULL, decided_by_name = NULL, approver_role = NULL, decided_at = NULL, comments = NULL
WHERE account_id = @account_id AND request_id = @request_id AND status <> 'pending';

-- DeleteRequestSlot removes a slot.
-- name: DeleteRequestSlot :exec
DELETE FROM deployment_request_approvals
WHERE account_id = @account_id AND id = @id;
