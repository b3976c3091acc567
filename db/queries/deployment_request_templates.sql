-- ListDeploymentRequestTemplates returns a page of the account's templates, newest first.
-- name: ListDeploymentRequestTemplates :many
SELECT * FROM deployment_request_templates
WHERE account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetDeploymentRequestTemplate returns one template.
-- name: GetDeploymentRequestTemplate :one
SELECT * FROM deployment_request_templates
WHERE account_id = @account_id AND id = @id;

-- GetDeploymentRequestTemplateForUpdate returns one template and locks it until the transaction ends.
-- name: GetDeploymentRequestTemplateForUpdate :one
SELECT * FROM deployment_request_templates
WHERE account_id = @account_id AND id = @id
FOR UPDATE;

-- CreateDeploymentRequestTemplate inserts a template. No row is returned when the name is taken.
-- name: CreateDeploymentRequestTemplate :one
INSERT INTO deployment_request_templates (account_id, id, name, description, environment_ids, approvals, steps, gate, created_at, updated_at)
VALUES (@account_id, @id, @name, @description, @environment_ids, @approvals, @steps, @gate, @now, @now)
ON CONFLICT (account_id, lower(name)) DO NOTHING
RETURNING *;

-- UpdateDeploymentRequestTemplate updates mutable columns and increments the revision.
-- name: UpdateDeploymentRequestTemplate :one
UPDATE deployment_request_templates
SET name = @name, description = @description, environment_ids = @environment_ids, approvals = @approvals, steps = @steps, gate = @gate,
  revision = revision + 1, updated_at = @now
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteDeploymentRequestTemplate removes a template; requests that were copied from it stay.
-- name: DeleteDeploymentRequestTemplate :exec
DELETE FROM deployment_request_templates
WHERE account_id = @account_id AND id = @id;
