-- ListDeploymentRequests returns a page of the account's requests, newest first. Those of a version or an environment are found by its own
-- index: the planner would prefer a scan backwards in time, which may find none. Few requests name a version; any number names an environment:
-- their index is in the order of the list. A status or a name that few of an environment's requests have makes it read all of them.
-- name: ListDeploymentRequests :many
SELECT sqlc.embed(r), (
    SELECT count(*) FROM deployment_request_versions AS v
    JOIN products AS p ON p.account_id = @account_id AND p.id = v.product_id AND p.deleted_at IS NULL
    WHERE v.account_id = @account_id AND v.request_id = r.id
  ) AS version_count, (
    SELECT count(*) FROM deployment_request_steps AS s
    WHERE s.account_id = @account_id AND s.request_id = r.id AND s.phase = 'pre' AND s.completed_at IS NULL
  ) AS open_pre_steps, (
    SELECT count(*) FROM deployment_request_steps AS s
    WHERE s.account_id = @account_id AND s.request_id = r.id AND s.phase = 'post' AND s.completed_at IS NULL
  ) AS open_post_steps
FROM deployment_requests AS r
WHERE r.account_id = @account_id AND r.deleted_at IS NULL
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (r.created_at, r.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(r.name), lower(sqlc.narg('q')::text)) > 0)
  AND (sqlc.narg('status')::text IS NULL OR r.status = sqlc.narg('status')::text)
  AND (sqlc.narg('version_id')::uuid IS NULL OR r.id = ANY (ARRAY(
    SELECT x.request_id FROM deployment_request_versions AS x
    JOIN products AS p ON p.account_id = @account_id AND p.id = x.product_id AND p.deleted_at IS NULL
    WHERE x.account_id = @account_id AND x.version_id = sqlc.narg('version_id')::uuid)))
  AND (sqlc.narg('environment_id')::uuid IS NULL OR EXISTS (
    SELECT FROM environments AS e WHERE e.account_id = @account_id AND e.id = sqlc.narg('environment_id')::uuid AND e.deleted_at IS NULL))
  AND (sqlc.narg('environment_id')::uuid IS NULL OR sqlc.narg('version_id')::uuid IS NULL OR (
    SELECT true FROM deployment_request_environments AS x
    WHERE x.account_id = @account_id AND x.request_id = r.id AND x.environment_id = sqlc.narg('environment_id')::uuid))
  AND (sqlc.narg('environment_id')::uuid IS NULL OR sqlc.narg('version_id')::uuid IS NOT NULL OR r.id = ANY (ARRAY(
    SELECT x.request_id FROM deployment_request_environments AS x
    WHERE x.account_id = @account_id AND x.environment_id = sqlc.narg('environment_id')::uuid AND x.requested_at IS NOT NULL
      AND (sqlc.narg('after_at')::timestamptz IS NULL OR (x.requested_at, x.request_id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
      AND (
        SELECT o.deleted_at IS NULL AND (sqlc.narg('q')::text IS NULL OR strpos(lower(o.name), lower(sqlc.narg('q')::text)) > 0)
          AND (sqlc.narg('status')::text IS NULL OR o.status = sqlc.narg('status')::text)
        FROM deployment_requests AS o WHERE o.account_id = @account_id AND o.id = x.request_id)
    ORDER BY x.requested_at DESC, x.request_id DESC
    LIMIT @row_limit
  ) || ARRAY(
    SELECT x.request_id FROM deployment_request_environments AS x
    WHERE x.account_id = @account_id AND x.environment_id = sqlc.narg('environment_id')::uuid AND x.requested_at IS NULL)))
ORDER BY r.created_at DESC, r.id DESC
LIMIT @row_limit;

-- GetDeploymentRequest returns one request.
-- name: GetDeploymentRequest :one
SELECT sqlc.embed(r), (
    SELECT count(*) FROM deployment_request_versions AS v
    JOIN products AS p ON p.account_id = @account_id AND p.id = v.product_id AND p.deleted_at IS NULL
    WHERE v.account_id = @account_id AND v.request_id = r.id
  ) AS version_count, (
    SELECT count(*) FROM deployment_request_steps AS s
    WHERE s.account_id = @account_id AND s.request_id = r.id AND s.phase = 'pre' AND s.completed_at IS NULL
  ) AS open_pre_steps, (
    SELECT count(*) FROM deployment_request_steps AS s
    WHERE s.account_id = @account_id AND s.request_id = r.id AND s.phase = 'post' AND s.completed_at IS NULL
  ) AS open_post_steps
FROM deployment_requests AS r
WHERE r.account_id = @account_id AND r.id = @id AND r.deleted_at IS NULL;

-- GetDeploymentRequestForUpdate returns one request and locks it until the transaction ends.
-- name: GetDeploymentRequestForUpdate :one
SELECT * FROM deployment_requests
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL
FOR UPDATE;

-- CreateDeploymentRequest inserts a draft.
-- name: CreateDeploymentRequest :one
INSERT INTO deployment_requests (account_id, id, name, description, status, gate, created_by, created_by_name, created_at, updated_at)
VALUES (@account_id, @id, @name, @description, 'draft', @gate, @created_by, @created_by_name, @now, @now)
RETURNING *;

-- UpdateDeploymentRequest updates mutable columns and increments the revision, of changes of its parts too.
-- name: UpdateDeploymentRequest :one
UPDATE deployment_requests
SET name = @name, description = @description, status = @status, gate = @gate, activation = @activation, activated_by = sqlc.narg('activated_by'),
  activated_by_name = sqlc.narg('activated_by_name'), activated_at = sqlc.narg('activated_at'), completed_at = sqlc.narg('completed_at'),
  cancelled_at = sqlc.narg('cancelled_at'), deleted_at = sqlc.narg('deleted_at'), revision = revision + 1, updated_at = @now
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- ListRequestEnvironments returns the environments of requests that are not deleted, by name.
-- name: ListRequestEnvironments :many
SELECT x.request_id, e.id, e.name FROM deployment_request_environments AS x
JOIN environments AS e ON e.account_id = @account_id AND e.id = x.environment_id AND e.deleted_at IS NULL
WHERE x.account_id = @account_id AND x.request_id = ANY (@requests::uuid[])
ORDER BY x.request_id, e.name, e.id;

-- ListNamesOfRequestProducts returns the products of a request with every name, deleted ones with their last name.
-- name: ListNamesOfRequestProducts :many
SELECT p.id, p.name FROM deployment_request_versions AS x
JOIN products AS p ON p.account_id = @account_id AND p.id = x.product_id
WHERE x.account_id = @account_id AND x.request_id = @request_id
UNION
SELECT n.product_id, n.name FROM deployment_request_versions AS x
JOIN product_names AS n ON n.account_id = @account_id AND n.product_id = x.product_id
WHERE x.account_id = @account_id AND x.request_id = @request_id
ORDER BY id, name;

-- ListNamesOfRequestEnvironments returns the environments of a request with every name, deleted ones with their last name.
-- name: ListNamesOfRequestEnvironments :many
SELECT e.id, e.name FROM deployment_request_environments AS x
JOIN environments AS e ON e.account_id = @account_id AND e.id = x.environment_id
WHERE x.account_id = @account_id AND x.request_id = @request_id
UNION
SELECT n.environment_id, n.name FROM deployment_request_environments AS x
JOIN environment_names AS n ON n.account_id = @account_id AND n.environment_id = x.environment_id
WHERE x.account_id = @account_id AND x.request_id = @request_id
ORDER BY id, name;

-- AddRequestEnvironments adds environments that the request does not have.
-- name: AddRequestEnvironments :exec
INSERT INTO deployment_request_environments (account_id, request_id, environment_id, requested_at)
SELECT @account_id, @request_id, unnest(@environment_ids::uuid[]), @requested_at
ON CONFLICT (account_id, request_id, environment_id) DO NOTHING;

-- RemoveRequestEnvironments removes the environments that are not listed.
-- name: RemoveRequestEnvironments :exec
DELETE FROM deployment_request_environments
WHERE account_id = @account_id AND request_id = @request_id AND environment_id <> ALL (@environment_ids::uuid[]);

-- ListDeployedRequests returns the approved requests whose versions have completed in all environments since the activation, or are the current
-- ones there, and whose steps after the deployments are done: one of an account, or 1,000 of all accounts after a request. If all had completed
-- before the activation, the request is for deploying them again, and all have to complete since then. Cross-tenant.
-- name: ListDeployedRequests :many
SELECT r.account_id, r.id FROM deployment_requests AS r
WHERE r.status = 'approved' AND r.deleted_at IS NULL
  AND (sqlc.narg('account_id')::uuid IS NULL OR r.account_id = sqlc.narg('account_id')::uuid)
  AND (sqlc.narg('id')::uuid IS NULL OR r.id = sqlc.narg('id')::uuid)
  AND (r.account_id, r.id) > (@after_account_id::uuid, @after_id::uuid)
  AND NOT EXISTS (
    SELECT FROM deployment_request_steps AS s
    WHERE s.account_id = r.account_id AND s.request_id = r.id AND s.phase = 'post' AND s.completed_at IS NULL)
  AND (
    SELECT bool_and(coalesce(c.last_at >= r.activated_at, false) OR coalesce(o.version_id = v.version_id, false))
      AND (bool_or(c.first_at >= r.activated_at) OR bool_and(c.last_at >= r.activated_at))
    FROM deployment_request_versions AS v
    JOIN products AS p ON p.account_id = v.account_id AND p.id = v.product_id AND p.deleted_at IS NULL
    JOIN deployment_request_environments AS x ON x.account_id = v.account_id AND x.request_id = v.request_id
    JOIN environments AS e ON e.account_id = x.account_id AND e.id = x.environment_id AND e.deleted_at IS NULL
    CROSS JOIN LATERAL (
      SELECT min(d.completed_at) AS first_at, max(d.completed_at) AS last_at FROM deployments AS d
      WHERE d.account_id = v.account_id AND d.version_id = v.version_id AND d.environment_id = x.environment_id AND d.status = 'completed'
    ) AS c
    LEFT JOIN environment_state AS t ON t.account_id = v.account_id AND t.product_id = v.product_id AND t.environment_id = x.environment_id
    LEFT JOIN deployments AS o ON o.account_id = t.account_id AND o.id = t.current_deployment_id
    WHERE v.account_id = r.account_id AND v.request_id = r.id)
ORDER BY r.account_id, r.id
LIMIT 1000;
