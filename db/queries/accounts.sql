-- EnsureAccount returns the account of that slug, created if missing, and locks it until the transaction ends.
-- name: EnsureAccount :one
INSERT INTO accounts (id, slug, created_at)
VALUES (@id, @slug, @now)
ON CONFLICT (slug) DO UPDATE SET slug = excluded.slug
RETURNING *;

-- GetAccountBySlug finds an account by the name that its keys carry.
-- name: GetAccountBySlug :one
SELECT * FROM accounts
WHERE slug = @slug;

-- GetAccount returns an account.
-- name: GetAccount :one
SELECT * FROM accounts
WHERE id = @account_id;

-- HasAccounts reports whether the database is in use.
-- name: HasAccounts :one
SELECT EXISTS (SELECT FROM accounts);

-- SetDeliveryLimit sets how many notifications a day an account may send; null is the server-wide limit.
-- name: SetDeliveryLimit :one
UPDATE accounts
SET deliveries_per_day = sqlc.narg('deliveries_per_day')
WHERE id = @account_id
RETURNING *;

-- SetAccountMoving sets since when an account is moved, if it is not moved already; null ends that.
-- name: SetAccountMoving :one
UPDATE accounts
SET moving_since = CASE WHEN sqlc.narg('moving_since')::timestamptz IS NULL THEN NULL ELSE coalesce(moving_since, sqlc.narg('moving_since')::timestamptz) END
WHERE id = @account_id
RETURNING *;

-- SetAccountLimit sets how many requests an hour an account may send; null is the server-wide limit.
-- name: SetAccountLimit :one
UPDATE accounts
SET requests_per_hour = sqlc.narg('requests_per_hour')
WHERE id = @account_id
RETURNING *;
