-- ListVariables returns a page of the account's variables, newest first.
-- name: ListVariables :many
SELECT * FROM variable_details
WHERE account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetVariable returns one variable.
-- name: GetVariable :one
SELECT * FROM variable_details
WHERE account_id = @account_id AND id = @id;

-- LockVariable locks one variable against other changes until the transaction ends. GetVariable, which follows, reads what the lock has
-- waited for.
-- name: LockVariable :exec
SELECT FROM variables
WHERE account_id = @account_id AND id = @id
FOR NO KEY UPDATE;

-- ListVariablesOfProduct returns the variables of these names that apply to a product: its own ones and those for all products.
-- name: ListVariablesOfProduct :many
SELECT v.product_id, v.key, v.value FROM variables AS v
WHERE v.account_id = @account_id AND v.key = ANY (@keys::text[]) AND (v.product_id IS NULL OR v.product_id = @product_id::uuid);

-- CreateVariable inserts a variable unless its key is taken: then no row is inserted.
-- name: CreateVariable :execrows
INSERT INTO variables (account_id, id, product_id, key, value, created_at, updated_at)
VALUES (@account_id, @id, sqlc.narg('product_id'), @key, @value, @now, @now)
ON CONFLICT DO NOTHING;

-- UpdateVariable updates the value and increments the revision.
-- name: UpdateVariable :exec
UPDATE variables
SET value = @value, revision = revision + 1, updated_at = @now
WHERE account_id = @account_id AND id = @id;

-- DeleteVariable deletes a variable.
-- name: DeleteVariable :exec
DELETE FROM variables
WHERE account_id = @account_id AND id = @id;
