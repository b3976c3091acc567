-- ListNotificationPreferences returns a page of the account's preferences, newest first.
-- name: ListNotificationPreferences :many
SELECT * FROM notification_preferences
WHERE account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('channel_id')::uuid IS NULL OR channel_id = sqlc.narg('channel_id')::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetNotificationPreference returns one preference.
-- name: GetNotificationPreference :one
SELECT * FROM notification_preferences
WHERE account_id = @account_id AND id = @id;

-- GetNotificationPreferenceForUpdate returns one preference, which nobody else can change until the transaction ends.
-- name: GetNotificationPreferenceForUpdate :one
SELECT * FROM notification_preferences
WHERE account_id = @account_id AND id = @id
FOR UPDATE;

-- CreateNotificationPreference makes a preference.
-- name: CreateNotificationPreference :one
INSERT INTO notification_preferences (account_id, channel_id, event_type, environments, products, statuses)
VALUES (@account_id, @channel_id, @event_type, @environments, @products, @statuses)
RETURNING *;

-- UpdateNotificationPreference writes what may change and counts the revision on.
-- name: UpdateNotificationPreference :one
UPDATE notification_preferences
SET event_type = @event_type, environments = @environments, products = @products, statuses = @statuses,
  revision = revision + 1, updated_at = clock_timestamp()
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteNotificationPreference removes a preference.
-- name: DeleteNotificationPreference :exec
DELETE FROM notification_preferences
WHERE account_id = @account_id AND id = @id;

-- DeletePreferencesOfChannel removes what a channel was told about.
-- name: DeletePreferencesOfChannel :exec
DELETE FROM notification_preferences
WHERE account_id = @account_id AND channel_id = @channel_id;
