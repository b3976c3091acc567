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

-- GetNotificationChannelForUpdate returns one channel and locks it until the transaction ends.
-- name: GetNotificationChannelForUpdate :one
SELECT * FROM notification_channels
WHERE account_id = @account_id AND id = @id AND deleted_at IS NULL
FOR UPDATE;

-- CreateNotificationChannel inserts a channel. The configuration is encrypted for its identifier.
-- name: CreateNotificationChannel :one
INSERT INTO notification_channels (account_id, id, name, channel_type, encrypted_config, enabled, created_at, updated_at)
VALUES (@account_id, @id, @name, @channel_type, @encrypted_config, @enabled, @now, @now)
RETURNING *;

-- UpdateNotificationChannel updates mutable columns and increments the revision. Enabling a channel resets its failure.
-- name: UpdateNotificationChannel :one
UPDATE notification_channels
SET name = @name, encrypted_config = @encrypted_config, enabled = @enabled, revision = revision + 1, updated_at = @now,
  disabled_reason = CASE WHEN @enabled THEN NULL ELSE disabled_reason END,
  disabled_at = CASE WHEN @enabled THEN NULL ELSE coalesce(disabled_at, @now::timestamptz) END,
  failing_since = CASE WHEN @enabled AND NOT enabled THEN NULL ELSE failing_since END
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- DeleteNotificationChannel keeps the channel for the history, without its configuration.
-- name: DeleteNotificationChannel :exec
UPDATE notification_channels
SET deleted_at = @now::timestamptz, enabled = false, encrypted_config = ''
WHERE account_id = @account_id AND id = @id;

-- DisableNotificationChannel disables a channel that cannot be delivered to. No row: it was disabled before.
-- name: DisableNotificationChannel :one
UPDATE notification_channels
SET enabled = false, disabled_reason = @reason, disabled_at = @now::timestamptz, revision = revision + 1
WHERE account_id = @account_id AND id = @id AND enabled
RETURNING *;

-- MarkChannelFailing records when the channel began to fail, unless it is recorded already.
-- name: MarkChannelFailing :exec
UPDATE notification_channels
SET failing_since = @now::timestamptz
WHERE account_id = @account_id AND id = @id AND failing_since IS NULL;

-- ClearChannelFailure records that the channel works.
-- name: ClearChannelFailure :exec
UPDATE notification_channels
SET failing_since = NULL
WHERE account_id = @account_id AND id = @id AND failing_since IS NOT NULL;

-- ListChannelsEncryptedWithOtherKey returns channels whose configuration is encrypted with another key than the given one, by
-- identifier. Cross-tenant.
-- name: ListChannelsEncryptedWithOtherKey :many
SELECT * FROM notification_channels
WHERE deleted_at IS NULL AND substring(encrypted_config FROM 1 FOR 4) <> @key_id::bytea AND id > @after_id
ORDER BY id
LIMIT 100;

-- CountChannelsEncryptedWithOtherKey counts what ListChannelsEncryptedWithOtherKey returns. Cross-tenant.
-- name: CountChannelsEncryptedWithOtherKey :one
SELECT count(*) FROM notification_channels
WHERE deleted_at IS NULL AND substring(encrypted_config FROM 1 FOR 4) <> @key_id::bytea;

-- ReplaceEncryptedConfig stores the same configuration re-encrypted, unless it has changed concurrently.
-- name: ReplaceEncryptedConfig :exec
UPDATE notification_channels
SET encrypted_config = @encrypted_config
WHERE account_id = @account_id AND id = @id AND encrypted_config = @former::bytea;
