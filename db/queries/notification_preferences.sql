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

-- GetNotificationPreferenceForUpdate returns one preference and locks it until the transaction ends.
-- name: GetNotificationPreferenceForUpdate :one
SELECT * FROM notification_preferences
WHERE account_id = @account_id AND id = @id
FOR UPDATE;

-- CreateNotificationPreference inserts a preference.
-- name: CreateNotificationPreference :one
INSERT INTO notification_preferences (account_id, id, channel_id, event_type, environments, products, statuses, created_at, updated_at)
VALUES (@account_id, @id, @channel_id, @event_type, @environments, @products, @statuses, @now, @now)
RETURNING *;

-- UpdateNotificationPreference updates mutable columns and increments the revision.
-- name: UpdateNotificationPreference :one
UPDATE notification_preferences
SET event_type = @event_type, environments = @environments, products = @products, statuses = @statuses,
  revision = revision + 1, updated_at = @now
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteNotificationPreference removes a preference.
-- name: DeleteNotificationPreference :exec
DELETE FROM notification_preferences
WHERE account_id = @account_id AND id = @id;

-- DeletePreferencesOfChannel removes the preferences of a channel.
-- name: DeletePreferencesOfChannel :exec
DELETE FROM notification_preferences
WHERE account_id = @account_id AND channel_id = @channel_id;

-- ListNotifiedEventTypes returns the event types that preferences of these accounts name: whether a batch of events needs a
-- fan-out.
-- name: ListNotifiedEventTypes :many
SELECT DISTINCT account_id, event_type FROM notification_preferences
WHERE account_id = ANY (@accounts::uuid[]);

-- ListMatchingPreferences returns the preferences for event types, with their channels, that are enabled.
-- name: ListMatchingPreferences :many
SELECT p.account_id, p.channel_id, p.event_type, p.environments, p.products, p.statuses
FROM notification_preferences AS p
JOIN notification_channels AS c ON c.account_id = @account_id AND c.id = p.channel_id AND c.enabled AND c.deleted_at IS NULL
WHERE p.account_id = @account_id AND p.event_type = ANY (@event_types::text[])
ORDER BY p.id;

-- ListProductNames returns every name of some products.
-- name: ListProductNames :many
SELECT product_id, name FROM product_names
WHERE account_id = @account_id AND product_id = ANY (@ids::uuid[]);

-- ListEnvironmentNames returns every name of some environments.
-- name: ListEnvironmentNames :many
SELECT environment_id, name FROM environment_names
WHERE account_id = @account_id AND environment_id = ANY (@ids::uuid[]);
