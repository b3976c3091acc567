-- ListEnvironments returns a page of the account's environments, newest first.
-- name: ListEnvironments :many
SELECT * FROM environments
WHERE account_id = @account_id AND deleted_at IS NULL
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(name), lower(sqlc.narg('q')::text)) > 0)
  AND (sqlc.narg('type')::text IS NULL OR type = sqlc.narg('type')::text)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- ListEnvironmentsByName returns a page of the account's environments, by the code points of their names.
-- name: ListEnvironmentsByName :many
SELECT * FROM environments
WHERE account_id = @account_id AND deleted_at IS NULL
  AND (sqlc.narg('after_name')::text IS NULL OR (name COLLATE "C", id) > (sqlc.narg('after_name')::text, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(name), lower(sqlc.narg('q')::text)) > 0)
  AND (sqlc.narg('type')::text IS NULL OR type = sqlc.narg('type')::text)
ORDER BY name COLLATE "C", id
LIMIT @row_limit;

-- GetEnvironment returns one environment.
-- name: GetEnvironment :one
SELECT * FROM environments
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL;

-- GetEnvironmentForUpdate returns one environment and locks it against other changes until the transaction ends. Events of the environment are not
-- blocked.
-- name: GetEnvironmentForUpdate :one
SELECT * FROM environments
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL
FOR NO KEY UPDATE;

-- FindEnvironment returns the identifier of an environment by identifier, or by a name that resolves to it.
-- name: FindEnvironment :one
SELECT t.id FROM environments AS t
WHERE t.account_id = @account_id AND t.deleted_at IS NULL
  AND (t.id = sqlc.narg('id')::uuid
    OR t.id = (SELECT n.environment_id FROM environment_names AS n WHERE n.account_id = @account_id AND n.name = @name::text))
LIMIT 1;

-- CreateEnvironment inserts an environment; its name must have been reserved.
-- name: CreateEnvironment :one
INSERT INTO environments (account_id, id, name, type, description, metadata, created_at, updated_at)
VALUES (@account_id, @id, @name, @type, @description, @metadata, @now, @now)
RETURNING *;

-- ReserveEnvironmentName makes a name resolve to an environment and returns the environment that it resolves to: a name in use is not taken over.
-- name: ReserveEnvironmentName :one
INSERT INTO environment_names AS n (account_id, name, environment_id)
VALUES (@account_id, @name, @environment_id)
ON CONFLICT (account_id, name) DO UPDATE SET environment_id = n.environment_id
RETURNING environment_id;

-- CountEnvironmentNames returns the number of names that resolve to an environment.
-- name: CountEnvironmentNames :one
SELECT count(*) FROM environment_names
WHERE account_id = @account_id AND environment_id = @environment_id;

-- UpdateEnvironment updates mutable columns and increments the revision.
-- name: UpdateEnvironment :one
UPDATE environments
SET name = @name, type = @type, description = @description, metadata = @metadata, revision = revision + 1, updated_at = @now
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteEnvironment hides an environment from every view.
-- name: DeleteEnvironment :exec
UPDATE environments
SET deleted_at = @now::timestamptz, revision = revision + 1
WHERE account_id = @account_id AND id = @id;

-- DeleteEnvironmentNames deletes every name of an environment, so that the next event that mentions one creates a new environment.
-- name: DeleteEnvironmentNames :exec
DELETE FROM environment_names
WHERE account_id = @account_id AND environment_id = @environment_id;

-- GetEnvironmentForDelete returns one environment and locks it against new references from events until the transaction ends. It comes after
-- LockEnvironmentStatesOfEnvironment: the order in which events lock.
-- name: GetEnvironmentForDelete :one
SELECT * FROM environments
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL
FOR UPDATE;

-- InsertEnvironmentNames reserves names that events mention for new environments, where they are not taken. First of an event batch's
-- writes, in the order of the key, so that two batches never wait for each other.
-- name: InsertEnvironmentNames :exec
INSERT INTO environment_names (account_id, name, environment_id)
SELECT k.account_id, k.name, k.environment_id
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@names::text[]), unnest(@environment_ids::uuid[])) AS k (account_id, name, environment_id)
ORDER BY k.account_id, k.name COLLATE "C"
ON CONFLICT (account_id, name) DO NOTHING;

-- InsertEnvironments inserts the environments of the names that InsertEnvironmentNames has reserved, and returns the account
-- of each.
-- name: InsertEnvironments :many
INSERT INTO environments (account_id, id, name, type, created_at, updated_at)
SELECT n.account_id, n.environment_id, n.name, k.type, @now, @now
FROM ROWS FROM (unnest(@account_ids::uuid[]), unnest(@names::text[]), unnest(@environment_ids::uuid[]), unnest(@types::text[]))
  AS k (account_id, name, environment_id, type)
JOIN environment_names AS n ON n.account_id = k.account_id AND n.name = k.name AND n.environment_id = k.environment_id
RETURNING account_id;
