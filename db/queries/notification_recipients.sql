-- ListRecipients returns the state of those of an account's recipients that are known.
-- name: ListRecipients :many
SELECT address_hash, requested_at, confirmed_at FROM notification_recipients
WHERE account_id = @account_id AND address_hash = ANY (@address_hashes::bytea[]);

-- RequestConfirmations records a request for each recipient that is neither confirmed nor was requested recently, in the order of
-- the key, and returns those recipients.
-- name: RequestConfirmations :many
INSERT INTO notification_recipients AS r (account_id, address_hash, requested_at)
SELECT @account_id, k.address_hash, @now::timestamptz
FROM (SELECT unnest(@address_hashes::bytea[]) AS address_hash) AS k
ORDER BY k.address_hash
ON CONFLICT (account_id, address_hash) DO UPDATE SET requested_at = excluded.requested_at
WHERE r.confirmed_at IS NULL AND r.requested_at <= @requested_before::timestamptz
RETURNING r.address_hash;

-- ConfirmRecipient confirms a recipient that is not confirmed.
-- name: ConfirmRecipient :execrows
UPDATE notification_recipients
SET confirmed_at = @now::timestamptz
WHERE account_id = @account_id AND address_hash = @address_hash AND confirmed_at IS NULL;

-- DeleteUnconfirmedRecipients deletes recipients whose last request expired. Cross-tenant.
-- name: DeleteUnconfirmedRecipients :exec
DELETE FROM notification_recipients
WHERE confirmed_at IS NULL AND requested_at < @before;

-- AddConfirmationEmail counts a confirmation e-mail to an address and returns the number of the day. Not tenant-scoped: the limit
-- protects the address from all accounts together.
-- name: AddConfirmationEmail :one
INSERT INTO confirmation_email_usage AS u (address_hash, day, used)
VALUES (@address_hash, @day, 1)
ON CONFLICT (address_hash, day) DO UPDATE SET used = u.used + 1
RETURNING used;

-- DeleteConfirmationEmailUsage deletes the counts of former days. Not tenant-scoped.
-- name: DeleteConfirmationEmailUsage :exec
DELETE FROM confirmation_email_usage
WHERE day < @before;
