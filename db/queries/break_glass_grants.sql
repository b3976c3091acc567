-- ListBreakGlassGrants returns a page of the account's grants, newest first. Deleted products and environments have their last name.
-- name: ListBreakGlassGrants :many
SELECT sqlc.embed(g), p.name AS product_name, e.name AS environment_name
FROM break_glass_grants AS g
JOIN products AS p ON p.account_id = @account_id AND p.id = g.product_id
JOIN environments AS e ON e.account_id = @account_id AND e.id = g.environment_id
WHERE g.account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (g.created_at, g.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY g.created_at DESC, g.id DESC
LIMIT @row_limit;

-- GetBreakGlassGrant returns one grant. A deleted product or environment has its last name.
-- name: GetBreakGlassGrant :one
SELECT sqlc.embed(g), p.name AS product_name, e.name AS environment_name
FROM break_glass_grants AS g
JOIN products AS p ON p.account_id = @account_id AND p.id = g.product_id
JOIN environments AS e ON e.account_id = @account_id AND e.id = g.environment_id
WHERE g.account_id = @account_id AND g.id = @id;

-- GetBreakGlassGrantForUpdate returns one grant and locks it against its use by a deployment until the transaction ends.
-- name: GetBreakGlassGrantForUpdate :one
SELECT * FROM break_glass_grants
WHERE account_id = @account_id AND id = @id
FOR UPDATE;

-- CreateBreakGlassGrant inserts a grant.
-- name: CreateBreakGlassGrant :one
INSERT INTO break_glass_grants (account_id, id, product_id, environment_id, version, reason, minutes, rule_types, status, created_by, created_by_name, created_at,
  confirm_until, activated_at, expires_at, updated_at)
VALUES (@account_id, @id, @product_id, @environment_id, @version, @reason, @minutes, @rule_types, @status, @created_by::uuid, @created_by_name, @now,
  sqlc.narg('confirm_until'), sqlc.narg('activated_at'), sqlc.narg('expires_at'), @now)
RETURNING *;

-- UpdateBreakGlassGrant updates mutable columns and increments the revision.
-- name: UpdateBreakGlassGrant :exec
UPDATE break_glass_grants
SET status = @status, confirmed_by = sqlc.narg('confirmed_by'), confirmed_by_name = sqlc.narg('confirmed_by_name'), confirmed_at = sqlc.narg('confirmed_at'),
  activated_at = sqlc.narg('activated_at'), expires_at = sqlc.narg('expires_at'),
  revoked_by = sqlc.narg('revoked_by'), revoked_by_name = sqlc.narg('revoked_by_name'), revoked_at = sqlc.narg('revoked_at'),
  reviewed_by = sqlc.narg('reviewed_by'), reviewed_by_name = sqlc.narg('reviewed_by_name'), reviewed_at = sqlc.narg('reviewed_at'),
  review_comments = sqlc.narg('review_comments'), revision = revision + 1, updated_at = @now
WHERE account_id = @account_id AND id = @id;

-- CountAuditEntries counts the audit entries of an action on a grant: a job that runs again records nothing twice.
-- name: CountAuditEntries :one
SELECT count(*) FROM audit_log
WHERE account_id = @account_id AND object_type = 'break_glass_grant' AND object_id = @object_id AND action = @action;
