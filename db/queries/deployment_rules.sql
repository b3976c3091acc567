-- ListDeploymentRules returns a page of the account's rules, newest first.
-- name: ListDeploymentRules :many
SELECT * FROM deployment_rules
WHERE account_id = @account_id AND deleted_at IS NULL
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetDeploymentRule returns one rule.
-- name: GetDeploymentRule :one
SELECT * FROM deployment_rules
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL;

-- ListDeploymentRulesOfName returns the identifier of the rule with a name, ignoring case: at most one.
-- name: ListDeploymentRulesOfName :many
SELECT id FROM deployment_rules
WHERE account_id = @account_id AND deleted_at IS NULL AND lower(name) = lower(@name::text);

-- CountDeploymentRules returns the number of the account's rules.
-- name: CountDeploymentRules :one
SELECT count(*) FROM deployment_rules
WHERE account_id = @account_id AND deleted_at IS NULL;

-- CreateDeploymentRule inserts a rule. Its name must be free: changes of an account's rules wait for each other.
-- name: CreateDeploymentRule :one
INSERT INTO deployment_rules (account_id, id, name, rule_type, mode, priority, rollback, scope, config, created_at, updated_at)
VALUES (@account_id, @id, @name, @rule_type, @mode, @priority, sqlc.narg('rollback'), @scope, @config, @now, @now)
RETURNING *;

-- UpdateDeploymentRule updates mutable columns and increments the revision.
-- name: UpdateDeploymentRule :one
UPDATE deployment_rules
SET name = @name, mode = @mode, priority = @priority, rollback = sqlc.narg('rollback'), scope = @scope, config = @config,
  revision = revision + 1, updated_at = @now
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteDeploymentRule hides a rule from every view. Its violations refer to it.
-- name: DeleteDeploymentRule :exec
UPDATE deployment_rules
SET deleted_at = @now::timestamptz, revision = revision + 1
WHERE account_id = @account_id AND id = @id;

-- HasConcurrencyRule returns whether a rule counts the deployments in progress of an account.
-- name: HasConcurrencyRule :one
SELECT EXISTS (
  SELECT FROM deployment_rules
  WHERE account_id = @account_id AND rule_type = 'concurrency' AND mode <> 'disabled' AND deleted_at IS NULL
);
