-- ListRuleViolations returns a page of what rules have found about deployments, newest first. Deleted products and environments have their
-- last name.
-- name: ListRuleViolations :many
SELECT sqlc.embed(v),
  (SELECT p.name FROM products AS p WHERE p.account_id = @account_id AND p.id = v.product_id)::text AS product_name,
  (SELECT y.version FROM versions AS y WHERE y.account_id = @account_id AND y.id = v.version_id)::text AS version,
  (SELECT e.name FROM environments AS e WHERE e.account_id = @account_id AND e.id = v.environment_id)::text AS environment_name
FROM rule_violations AS v
WHERE v.account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (v.occurred_at, v.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('rule_id')::uuid IS NULL OR v.rule_id = sqlc.narg('rule_id')::uuid)
  AND (sqlc.narg('product_id')::uuid IS NULL OR v.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('environment_id')::uuid IS NULL OR v.environment_id = sqlc.narg('environment_id')::uuid)
  AND (sqlc.narg('action')::text IS NULL OR v.action = sqlc.narg('action')::text)
  AND (sqlc.narg('code')::text IS NULL OR v.code = sqlc.narg('code')::text)
  AND (sqlc.narg('since')::timestamptz IS NULL OR v.occurred_at >= sqlc.narg('since')::timestamptz)
  AND (sqlc.narg('until')::timestamptz IS NULL OR v.occurred_at < sqlc.narg('until')::timestamptz)
ORDER BY v.occurred_at DESC, v.id DESC
LIMIT @row_limit;
