-- GetTenant finds the account of an organisation, and the user in it if known. Cross-tenant: a verified token names its issuer and
-- organisation, one account has both, and no account is known before. The user is looked up in that account only.
-- name: GetTenant :one
SELECT a.id AS account_id, a.slug, a.requests_per_hour, a.moving_since, u.id AS user_id, u.name, u.email, u.claimed_role, u.assigned_role, u.last_seen_at
FROM accounts AS a
LEFT JOIN users AS u ON u.account_id = a.id AND u.subject = @subject
WHERE a.issuer = @issuer::text AND a.organization_id = @organization_id::text;

-- CreateTenant creates the account of an organisation. No row: the slug or the organisation has one.
-- name: CreateTenant :one
INSERT INTO accounts (id, slug, issuer, organization_id, created_at)
VALUES (@id, @slug, @issuer::text, @organization_id::text, @now)
ON CONFLICT DO NOTHING
RETURNING *;

-- LinkAccountToOrganization links an account that a command created to an organisation; only development does that.
-- name: LinkAccountToOrganization :one
INSERT INTO accounts (id, slug, issuer, organization_id, created_at)
VALUES (@id, @slug, @issuer::text, @organization_id::text, @now)
ON CONFLICT (slug) DO UPDATE SET issuer = excluded.issuer, organization_id = excluded.organization_id
WHERE accounts.issuer IS NULL
RETURNING *;

-- UpsertUser stores what a token claims of a user, and when the user was last seen.
-- name: UpsertUser :one
INSERT INTO users (account_id, id, subject, name, email, claimed_role, created_at, last_seen_at)
VALUES (@account_id, @id, @subject, @name, @email, @claimed_role, @now, @now)
ON CONFLICT (account_id, subject) DO UPDATE
SET name = excluded.name, email = excluded.email, claimed_role = excluded.claimed_role, last_seen_at = excluded.last_seen_at
RETURNING *;

-- ListUsers returns a page of the account's users, newest first.
-- name: ListUsers :many
SELECT * FROM users
WHERE account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('q')::text IS NULL OR strpos(lower(name), lower(sqlc.narg('q')::text)) > 0 OR strpos(lower(email), lower(sqlc.narg('q')::text)) > 0)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetUser returns one user.
-- name: GetUser :one
SELECT * FROM users
WHERE account_id = @account_id AND id = @id;

-- ListUsersToEmail returns users with an e-mail address and one of the roles, but for some users, up to a number: of each role in turn the one that
-- was seen last, so that none of the roles is left out.
-- name: ListUsersToEmail :many
SELECT id, coalesce(assigned_role, claimed_role) AS role FROM users
WHERE account_id = @account_id AND coalesce(assigned_role, claimed_role) = ANY (@roles::text[]) AND email <> '' AND id <> ALL (@except_ids::uuid[])
ORDER BY row_number() OVER (PARTITION BY coalesce(assigned_role, claimed_role) ORDER BY last_seen_at DESC, id), role, id
LIMIT @row_limit;

-- LockAdmins locks a user and the account's admins until the transaction ends: the last admin is counted in it.
-- name: LockAdmins :many
SELECT * FROM users
WHERE account_id = @account_id AND (id = @id OR coalesce(assigned_role, claimed_role) = 'admin')
ORDER BY id
FOR UPDATE;

-- AssignRole sets the role that wins over the token's, or none.
-- name: AssignRole :one
UPDATE users
SET assigned_role = sqlc.narg('assigned_role'), revision = revision + 1
WHERE account_id = @account_id AND id = @id
RETURNING *;
