-- ListEnvironments returns a page of the account's environments, newest first.
-- name: ListEnvironments :many
SELECT * FROM environments
WHERE account_id = @account_id AND deleted_at IS NULL
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(name), lower(sqlc.narg('q')::text)) > 0)
  AND (sqlc.narg('type')::text IS NULL OR type = sqlc.narg('type')::text)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetEnvironment returns one environment.
-- name: GetEnvironment :one
SELECT * FROM environments
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL;

-- GetEnvironmentForUpdate returns one environment, which nobody else can change until the transaction ends.
-- name: GetEnvironmentForUpdate :one
SELECT * FROM environments
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL
FOR UPDATE;

-- FindEnvironment returns the identifier of an environment by its own, or by a name that it answers to.
-- name: FindEnvironment :one
SELECT t.id FROM environments AS t
WHERE t.account_id = @account_id AND t.deleted_at IS NULL
  AND (t.id = sqlc.narg('id')::uuid
    OR t.id = (SELECT n.environment_id FROM environment_names AS n WHERE n.account_id = @account_id AND n.name = @name::text))
LIMIT 1;

-- CreateEnvironment makes an environment; its name must have been claimed.
-- name: CreateEnvironment :one
INSERT INTO environments (account_id, id, name, type, description, metadata)
VALUES (@account_id, @id, @name, @type, @description, @metadata)
RETURNING *;

-- ClaimEnvironmentName makes a name lead to an environment and returns the environment that it leads to: another one's name stays.
-- name: ClaimEnvironmentName :one
INSERT INTO environment_names AS n (account_id, name, environment_id)
VALUES (@account_id, @name, @environment_id)
ON CONFLICT (account_id, name) DO UPDATE SET environment_id = n.environment_id
RETURNING environment_id;

-- UpdateEnvironment writes what may change and counts the revision on.
-- name: UpdateEnvironment :one
UPDATE environments
SET name = @name, type = @type, description = @description, metadata = @metadata, revision = revision + 1, updated_at = record_time()
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteEnvironment takes an environment out of every view.
-- name: DeleteEnvironment :exec
UPDATE environments
SET deleted_at = clock_timestamp(), revision = revision + 1
WHERE account_id = @account_id AND id = @id;

-- ReleaseEnvironmentNames frees every name of an environment, so that the next event that mentions one makes a new environment.
-- name: ReleaseEnvironmentNames :exec
DELETE FROM environment_names
WHERE account_id = @account_id AND environment_id = @environment_id;
