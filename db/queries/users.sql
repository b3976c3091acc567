-- GetTenant finds the account of an organisation, and the person in it if they were here before.
-- name: GetTenant :one
SELECT a.id AS account_id, a.slug, a.requests_per_hour, u.id AS user_id, u.name, u.email, u.token_role, u.assigned_role, u.last_seen_at
FROM accounts AS a
LEFT JOIN users AS u ON u.account_id = a.id AND u.subject = @subject
WHERE a.issuer = @issuer::text AND a.organization_id = @organization_id::text;

-- CreateTenant makes the account of an organisation, unless the slug or the organisation has one: then there is no row.
-- name: CreateTenant :one
INSERT INTO accounts (slug, issuer, organization_id)
VALUES (@slug, @issuer::text, @organization_id::text)
ON CONFLICT DO NOTHING
RETURNING *;

-- AdoptAccount gives an account that a command made to an organisation; only development does that.
-- name: AdoptAccount :one
INSERT INTO accounts (slug, issuer, organization_id)
VALUES (@slug, @issuer::text, @organization_id::text)
ON CONFLICT (slug) DO UPDATE SET issuer = excluded.issuer, organization_id = excluded.organization_id
WHERE accounts.issuer IS NULL
RETURNING *;

-- PutUser notes what a token says of a person, and that they were here.
-- name: PutUser :one
INSERT INTO users (account_id, subject, name, email, token_role)
VALUES (@account_id, @subject, @name, @email, @token_role)
ON CONFLICT (subject, account_id) DO UPDATE
SET name = excluded.name, email = excluded.email, token_role = excluded.token_role, last_seen_at = record_time()
RETURNING *;

-- ListUsers returns a page of the account's people, newest first.
-- name: ListUsers :many
SELECT * FROM users
WHERE account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(name), lower(sqlc.narg('q')::text)) > 0 OR strpos(lower(email), lower(sqlc.narg('q')::text)) > 0)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetUser returns one person.
-- name: GetUser :one
SELECT * FROM users
WHERE account_id = @account_id AND id = @id;

-- LockUsers keeps the roles of an account as they are until the transaction ends: the last admin is counted in it.
-- name: LockUsers :many
SELECT * FROM users
WHERE account_id = @account_id AND (id = @id OR coalesce(assigned_role, token_role) = 'admin')
ORDER BY id
FOR UPDATE;

-- AssignRole sets the role that wins over the token's, or none.
-- name: AssignRole :one
UPDATE users
SET assigned_role = sqlc.narg('assigned_role'), revision = revision + 1
WHERE account_id = @account_id AND id = @id
RETURNING *;
