-- ListNotificationChannels returns a page of the account's channels, newest first.
-- name: ListNotificationChannels :many
SELECT * FROM notification_channels
WHERE account_id = @account_id AND deleted_at IS NULL
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetNotificationChannel returns one channel.
-- name: GetNotificationChannel :one
SELECT * FROM notification_channels
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL;

-- GetNotificationChannelForUpdate returns one channel, which nobody else can change until the transaction ends.
-- name: GetNotificationChannelForUpdate :one
SELECT * FROM notification_channels
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL
FOR UPDATE;

-- CreateNotificationChannel makes a channel. The identifier is the caller's, as the configuration is sealed to it.
-- name: CreateNotificationChannel :one
INSERT INTO notification_channels (account_id, id, name, channel_type, sealed_config, enabled)
VALUES (@account_id, @id, @name, @channel_type, @sealed_config, @enabled)
RETURNING *;

-- UpdateNotificationChannel writes what may change and counts the revision on. A channel that is enabled begins anew.
-- name: UpdateNotificationChannel :one
UPDATE notification_channels
SET name = @name, sealed_config = @sealed_config, enabled = @enabled, revision = revision + 1, updated_at = clock_timestamp(),
  disabled_reason = CASE WHEN @enabled THEN NULL ELSE disabled_reason END,
  disabled_at = CASE WHEN @enabled THEN NULL ELSE coalesce(disabled_at, clock_timestamp()) END,
  failing_since = CASE WHEN @enabled AND NOT enabled THEN NULL ELSE failing_since END
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteNotificationChannel keeps the channel for the history, without what it was configured with.
-- name: DeleteNotificationChannel :exec
UPDATE notification_channels
SET deleted_at = clock_timestamp(), enabled = false, sealed_config = ''
WHERE account_id = @account_id AND id = @id;

-- DisableNotificationChannel stops a channel that cannot be delivered to. There is no row when it was stopped before.
-- name: DisableNotificationChannel :one
UPDATE notification_channels
SET enabled = false, disabled_reason = @reason, disabled_at = clock_timestamp(), revision = revision + 1
WHERE account_id = @account_id AND id = @id AND enabled
RETURNING *;

-- MarkChannelFailing notes when the channel began to fail, unless it is noted already.
-- name: MarkChannelFailing :exec
UPDATE notification_channels
SET failing_since = clock_timestamp()
WHERE account_id = @account_id AND id = @id AND failing_since IS NULL;

-- MarkChannelWorking notes that the channel works.
-- name: MarkChannelWorking :exec
UPDATE notification_channels
SET failing_since = NULL
WHERE account_id = @account_id AND id = @id AND failing_since IS NOT NULL;

-- ListSealedChannels returns channels of every tenant whose configuration is sealed with another key than the one whose
-- identifier is given, in the order of their identifiers.
-- name: ListSealedChannels :many
SELECT * FROM notification_channels
WHERE deleted_at IS NULL AND substring(sealed_config FROM 1 FOR 4) <> @key_id::bytea AND id > @after_id
ORDER BY id
LIMIT 100;

-- ReplaceSealedConfig writes the same configuration sealed anew, unless somebody has changed it meanwhile.
-- name: ReplaceSealedConfig :exec
UPDATE notification_channels
SET sealed_config = @sealed_config
WHERE account_id = @account_id AND id = @id AND sealed_config = @former::bytea;
