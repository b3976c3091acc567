-- EnsureAccount returns the account of that slug, made when it does not exist yet, and locks it until the
-- transaction ends.
-- name: EnsureAccount :one
INSERT INTO accounts (slug)
VALUES (@slug)
ON CONFLICT (slug) DO UPDATE SET slug = excluded.slug
RETURNING *;

-- GetAccountBySlug finds an account by the name that its keys carry.
-- name: GetAccountBySlug :one
SELECT * FROM accounts
WHERE slug = @slug;

-- HasAccounts tells an empty database from one in use.
-- name: HasAccounts :one
SELECT EXISTS (SELECT FROM accounts);

-- SetAccountLimit says how many requests an hour an account may send; null is what the server says.
-- name: SetAccountLimit :one
UPDATE accounts
SET requests_per_hour = sqlc.narg('requests_per_hour')
WHERE id = @account_id
RETURNING *;
