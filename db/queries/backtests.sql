-- TryLockBacktest begins the backtest of an account, which ends with the transaction. It returns false while another one runs.
-- name: TryLockBacktest :one
SELECT pg_try_advisory_xact_lock(hashtextextended((@account_id::uuid)::text || ' backtest', 0));

-- ListDeploymentHistory returns the newest deployments and attempts that began in a time, the newest first: what a backtest goes through.
-- name: ListDeploymentHistory :many
SELECT d.id, d.product_id, d.version_id, d.environment_id, d.status, d.invoke_id, d.attempt, d.deployed_by, d.occurred_at, d.started_at, d.completed_at, d.last_event_at
FROM deployments AS d
WHERE d.account_id = @account_id AND d.occurred_at >= @since AND d.occurred_at < @until
ORDER BY d.occurred_at DESC, d.id DESC
LIMIT @row_limit;

-- ListNamedProducts returns products that are not deleted, by their identifiers.
-- name: ListNamedProducts :many
SELECT id, name FROM products
WHERE account_id = @account_id AND id = ANY (@ids::uuid[]) AND deleted_at IS NULL;

-- ListNamedEnvironments returns the account's environments that are not deleted, with their types.
-- name: ListNamedEnvironments :many
SELECT id, name, type FROM environments
WHERE account_id = @account_id AND deleted_at IS NULL;

-- ListNamedVersions returns versions by their identifiers.
-- name: ListNamedVersions :many
SELECT id, version FROM versions
WHERE account_id = @account_id AND id = ANY (@ids::uuid[]);

-- ListApprovalHistory returns all decisions about versions, oldest first, revoked ones included.
-- name: ListApprovalHistory :many
SELECT version_id, environment_id, approval_type, decision, created_at, revoked_at FROM version_approvals
WHERE account_id = @account_id AND version_id = ANY (@ids::uuid[])
ORDER BY created_at, id;

-- GetFirstApprovalTime returns when the account's first decision about a version was recorded; null without any.
-- name: GetFirstApprovalTime :one
SELECT min(created_at)::timestamptz AS at FROM version_approvals
WHERE account_id = @account_id
HAVING count(*) > 0;

-- ListRequestHistory returns the deployment requests that name versions, up to a number: those of the newest version first, of a version oldest first.
-- name: ListRequestHistory :many
SELECT q.version_id, r.id, r.name, r.gate, r.created_at, r.activated_at, r.completed_at, r.cancelled_at, ARRAY(
    SELECT e.environment_id FROM deployment_request_environments AS e
    WHERE e.account_id = @account_id AND e.request_id = r.id
  )::uuid[] AS environment_ids, coalesce((
    SELECT jsonb_agg(jsonb_build_object('approval_type', a.approval_type, 'required', a.required, 'status', a.status, 'decided_at', a.decided_at))
    FROM deployment_request_approvals AS a
    WHERE a.account_id = @account_id AND a.request_id = r.id
  ), '[]')::jsonb AS approvals, coalesce((
    SELECT jsonb_agg(s.completed_at) FROM deployment_request_steps AS s
    WHERE s.account_id = @account_id AND s.request_id = r.id AND s.phase = 'pre'
  ), '[]')::jsonb AS pre_steps
FROM deployment_request_versions AS q
JOIN deployment_requests AS r ON r.account_id = @account_id AND r.id = q.request_id
WHERE q.account_id = @account_id AND q.version_id = ANY (@ids::uuid[]) AND r.deleted_at IS NULL
ORDER BY q.version_id DESC, r.id
LIMIT @row_limit;

-- GetFirstRequestTime returns when the account's first deployment request was created; null without any.
-- name: GetFirstRequestTime :one
SELECT min(created_at)::timestamptz AS at FROM deployment_requests
WHERE account_id = @account_id
HAVING count(*) > 0;

-- GetDeploymentOfHistory returns one deployment, with the number of violations that were observed for it.
-- name: GetDeploymentOfHistory :one
SELECT d.product_id, d.environment_id, d.version_id, coalesce(d.started_at, d.occurred_at)::timestamptz AS started_at, (
  SELECT count(*) FROM rule_violations AS v
  WHERE v.account_id = @account_id AND v.deployment_id = d.id AND v.action = 'observed'
) AS observed
FROM deployments AS d
WHERE d.account_id = @account_id AND d.id = @id;

-- ListProductHistory returns the newest deployments and attempts of a product that began until a time, the newest first.
-- name: ListProductHistory :many
SELECT d.id, d.product_id, d.version_id, d.environment_id, d.status, d.invoke_id, d.attempt, d.deployed_by, d.occurred_at, d.started_at, d.completed_at, d.last_event_at
FROM deployments AS d
WHERE d.account_id = @account_id AND d.product_id = @product_id AND d.occurred_at >= @since AND d.occurred_at <= @until
ORDER BY d.occurred_at DESC, d.id DESC
LIMIT @row_limit;
