-- CreateAuditEntry records a change, in the transaction of the change.
-- name: CreateAuditEntry :exec
INSERT INTO audit_log (account_id, id, occurred_at, actor_type, actor_id, actor_name, credential, action, object_type, object_id, object_name, fields, changed_values,
  remote_ip, request_id)
VALUES (@account_id, @id, @now, @actor_type, sqlc.narg('actor_id'), @actor_name, @credential, @action, @object_type, @object_id, sqlc.narg('object_name'), @fields, @changed_values,
  sqlc.narg('remote_ip'), sqlc.narg('request_id'));

-- ListAuditLog returns a page of the account's changes, newest first.
-- name: ListAuditLog :many
SELECT * FROM audit_log
WHERE account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (occurred_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('actor_id')::uuid IS NULL OR actor_id = sqlc.narg('actor_id')::uuid)
  AND (sqlc.narg('action')::text IS NULL OR action = sqlc.narg('action')::text)
  AND (sqlc.narg('object_id')::uuid IS NULL OR object_id = sqlc.narg('object_id')::uuid)
  AND (sqlc.narg('since')::timestamptz IS NULL OR occurred_at >= sqlc.narg('since')::timestamptz)
  AND (sqlc.narg('until')::timestamptz IS NULL OR occurred_at < sqlc.narg('until')::timestamptz)
ORDER BY occurred_at DESC, id DESC
LIMIT @row_limit;
