-- ListVersionApprovals returns a page of the decisions about a version, newest first, revoked ones included.
-- name: ListVersionApprovals :many
SELECT sqlc.embed(a), e.name AS environment_name, (a.revoked_at IS NULL AND NOT EXISTS (
    SELECT FROM version_approvals AS n
    WHERE n.account_id = @account_id AND n.version_id = a.version_id AND n.approval_type = a.approval_type
      AND n.environment_id IS NOT DISTINCT FROM a.environment_id AND n.revoked_at IS NULL AND (n.created_at, n.id) > (a.created_at, a.id)
  ))::boolean AS counts
FROM version_approvals AS a
LEFT JOIN environments AS e ON e.account_id = @account_id AND e.id = a.environment_id
WHERE a.account_id = @account_id AND a.version_id = @version_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (a.created_at, a.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY a.created_at DESC, a.id DESC
LIMIT @row_limit;

-- GetVersionApprovalForUpdate returns one decision about a version and locks it until the transaction ends.
-- name: GetVersionApprovalForUpdate :one
SELECT * FROM version_approvals
WHERE account_id = @account_id AND version_id = @version_id AND id = @id
FOR UPDATE;

-- CreateVersionApproval inserts a decision about a version.
-- name: CreateVersionApproval :one
INSERT INTO version_approvals (account_id, id, version_id, environment_id, approval_type, decision, comments, approver_role, given_by, given_by_name, created_at)
VALUES (@account_id, @id, @version_id, sqlc.narg('environment_id'), @approval_type, @decision, sqlc.narg('comments'), @approver_role, @given_by::uuid, @given_by_name, @now)
RETURNING *;

-- RevokeVersionApproval revokes a decision about a version.
-- name: RevokeVersionApproval :exec
UPDATE version_approvals
SET revoked_at = @now::timestamptz, revoked_by = @revoked_by::uuid, revoked_by_name = @revoked_by_name::text
WHERE account_id = @account_id AND id = @id;
