-- ListDeploymentTemplates returns a page of the account's templates, newest first.
-- name: ListDeploymentTemplates :many
SELECT t.* FROM deployment_template_details AS t
WHERE t.account_id = @account_id
  AND (sqlc.narg('product_id')::uuid IS NULL OR t.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('environment_id')::uuid IS NULL OR EXISTS (
    SELECT FROM deployment_templates_environments AS te
    WHERE te.account_id = @account_id AND te.product_id = t.product_id AND te.environment_id = sqlc.narg('environment_id')::uuid AND te.template_id = t.id))
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (t.created_at, t.id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY t.created_at DESC, t.id DESC
LIMIT @row_limit;

-- GetDeploymentTemplate returns one template.
-- name: GetDeploymentTemplate :one
SELECT * FROM deployment_template_details
WHERE account_id = @account_id AND id = @id;

-- LockDeploymentTemplate locks one template against other changes until the transaction ends. GetDeploymentTemplate, which follows, reads
-- what the lock has waited for.
-- name: LockDeploymentTemplate :exec
SELECT FROM deployment_templates
WHERE account_id = @account_id AND id = @id
FOR NO KEY UPDATE;

-- ListEnvironmentsOfIDs returns those of several environments that exist, by name.
-- name: ListEnvironmentsOfIDs :many
SELECT id, name FROM environments
WHERE account_id = @account_id AND id = ANY (@environment_ids::uuid[]) AND deleted_at IS NULL
ORDER BY name COLLATE "C", id;

-- CreateDeploymentTemplate inserts a template without environments.
-- name: CreateDeploymentTemplate :exec
INSERT INTO deployment_templates (account_id, id, product_id, name, url_template, enabled, created_at, updated_at)
VALUES (@account_id, @id, @product_id, @name, @url_template, @enabled, @now, @now);

-- AddDeploymentTemplateEnvironments gives a template those of the environments for which its product has no template, in the order of the
-- key, so that two transactions never wait for each other, and returns them.
-- name: AddDeploymentTemplateEnvironments :many
INSERT INTO deployment_templates_environments (account_id, product_id, environment_id, template_id)
SELECT @account_id, @product_id, k.environment_id, @template_id
FROM unnest(@environment_ids::uuid[]) AS k (environment_id)
ORDER BY k.environment_id
ON CONFLICT (account_id, product_id, environment_id) DO NOTHING
RETURNING environment_id;

-- KeepDeploymentTemplateEnvironments takes all environments from a template but these.
-- name: KeepDeploymentTemplateEnvironments :exec
DELETE FROM deployment_templates_environments
WHERE account_id = @account_id AND template_id = @template_id AND environment_id <> ALL (@environment_ids::uuid[]);

-- UpdateDeploymentTemplate updates mutable columns and increments the revision.
-- name: UpdateDeploymentTemplate :exec
UPDATE deployment_templates
SET name = @name, url_template = @url_template, enabled = @enabled, revision = revision + 1, updated_at = @now
WHERE account_id = @account_id AND id = @id;

-- DeleteDeploymentTemplate deletes a template, which must have no environments.
-- name: DeleteDeploymentTemplate :exec
DELETE FROM deployment_templates
WHERE account_id = @account_id AND id = @id;
