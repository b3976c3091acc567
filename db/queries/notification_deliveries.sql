-- ListNotificationHistory returns a page of the account's deliveries, newest first.
-- name: ListNotificationHistory :many
SELECT * FROM delivery_details
WHERE account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('channel_id')::uuid IS NULL OR channel_id = sqlc.narg('channel_id')::uuid)
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
  AND (sqlc.narg('event_type')::text IS NULL OR event_type = sqlc.narg('event_type')::text)
  AND (sqlc.narg('since')::timestamptz IS NULL OR created_at >= sqlc.narg('since')::timestamptz)
  AND (sqlc.narg('until')::timestamptz IS NULL OR created_at < sqlc.narg('until')::timestamptz)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetDeliveryDetails returns one delivery with its channel.
-- name: GetDeliveryDetails :one
SELECT * FROM delivery_details
WHERE account_id = @account_id AND id = @id;

-- InsertTestDelivery records the result of a test message.
-- name: InsertTestDelivery :one
INSERT INTO notification_deliveries (account_id, id, channel_id, event_type, payload, status, generation, attempts_in_generation, total_attempts,
  response_status, error_class, latency_ms, created_at, last_attempt_at, finished_at)
VALUES (@account_id, @id, @channel_id, 'test', @payload, @status, 1, 1, 1,
  sqlc.narg('response_status'), sqlc.narg('error_class'), sqlc.narg('latency_ms'), @now, @now::timestamptz, @now::timestamptz)
RETURNING *;

-- InsertDeliveries inserts pending deliveries, in the order of their unique key, and returns the identifiers of the new ones:
-- a channel is notified of each status of a deployment or build once.
-- name: InsertDeliveries :many
INSERT INTO notification_deliveries (account_id, id, channel_id, event_type, event_id, subject_id, payload, status, generation,
  attempts_in_generation, total_attempts, created_at, next_attempt_at)
SELECT @account_id, k.id, k.channel_id, k.event_type, k.event_id, k.subject_id, k.payload, 'pending', 1, 0, 0, @now, @now::timestamptz
FROM ROWS FROM (unnest(@ids::uuid[]), unnest(@channel_ids::uuid[]), unnest(@event_types::text[]), unnest(@event_ids::uuid[]),
    unnest(@subject_ids::uuid[]), unnest(@payloads::jsonb[]))
  AS k (id, channel_id, event_type, event_id, subject_id, payload)
ORDER BY k.subject_id, k.channel_id, k.event_type
ON CONFLICT (account_id, subject_id, channel_id, event_type) WHERE subject_id IS NOT NULL DO NOTHING
RETURNING id, channel_id;

-- InsertDeliveryJobs enqueues deliveries. Not tenant-scoped: the queue belongs to no account. max_attempts bounds internal errors
-- alone: internal/notify schedules the attempts.
-- name: InsertDeliveryJobs :exec
INSERT INTO river_job (kind, args, queue, priority, max_attempts, metadata)
SELECT 'deliver_notification', k.args, 'notifications', 1, 1000, @metadata::jsonb
FROM unnest(@args::jsonb[]) AS k (args);

-- InsertEmailJobs enqueues e-mails beside those of channels. Not tenant-scoped: the queue belongs to no account.
-- name: InsertEmailJobs :exec
INSERT INTO river_job (kind, args, queue, priority, max_attempts, metadata)
SELECT @kind::text, k.args, @queue::text, 2, @max_attempts, @metadata::jsonb
FROM unnest(@args::jsonb[]) AS k (args);

-- ListAdminsWithEmail returns the account's admins that have an e-mail address.
-- name: ListAdminsWithEmail :many
SELECT id FROM users
WHERE account_id = @account_id AND coalesce(assigned_role, claimed_role) = 'admin' AND email <> '';

-- GetPendingDelivery returns the data of an attempt. No row: there is nothing to deliver (it was delivered, cancelled or
-- requeued, or its channel is disabled or deleted).
-- name: GetPendingDelivery :one
SELECT d.event_type, d.payload, d.attempts_in_generation, c.channel_type, c.encrypted_config, c.failing_since
FROM notification_deliveries AS d
JOIN notification_channels AS c ON c.account_id = @account_id AND c.id = d.channel_id AND c.enabled AND c.deleted_at IS NULL
WHERE d.account_id = @account_id AND d.id = @id AND d.generation = @generation AND d.status = 'pending';

-- RecordDeliveryAttempt stores the result of an attempt, and when the next one is due.
-- name: RecordDeliveryAttempt :exec
UPDATE notification_deliveries
SET status = @status, total_attempts = total_attempts + 1, attempts_in_generation = attempts_in_generation + 1, last_attempt_at = @last_attempt_at::timestamptz,
  response_status = sqlc.narg('response_status'), error_class = sqlc.narg('error_class'), latency_ms = sqlc.narg('latency_ms'),
  next_attempt_at = sqlc.narg('next_attempt_at'), finished_at = sqlc.narg('finished_at')
WHERE account_id = @account_id AND id = @id AND generation = @generation AND status = 'pending';

-- CancelDelivery ends a pending delivery that is not sent.
-- name: CancelDelivery :exec
UPDATE notification_deliveries
SET status = 'cancelled', error_class = @error_class::text, next_attempt_at = NULL, finished_at = @now::timestamptz
WHERE account_id = @account_id AND id = @id AND generation = @generation AND status = 'pending';

-- CancelDeliveriesOverQuota ends new deliveries that exceed the account's quota.
-- name: CancelDeliveriesOverQuota :exec
UPDATE notification_deliveries
SET status = 'cancelled', error_class = 'quota_exceeded', next_attempt_at = NULL, finished_at = @now::timestamptz
WHERE account_id = @account_id AND id = ANY (@ids::uuid[]);

-- CancelDeliveriesOfChannel ends the pending deliveries of a deleted channel.
-- name: CancelDeliveriesOfChannel :exec
UPDATE notification_deliveries
SET status = 'cancelled', error_class = 'channel_deleted', next_attempt_at = NULL, finished_at = @now::timestamptz
WHERE account_id = @account_id AND channel_id = @channel_id AND status = 'pending';

-- RequeueDelivery starts another generation: the job of the previous one finds nothing to do.
-- name: RequeueDelivery :one
UPDATE notification_deliveries
SET status = 'pending', generation = generation + 1, attempts_in_generation = 0, next_attempt_at = @now::timestamptz, finished_at = NULL
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- ListOtherMessageChannels returns the account's other enabled Slack and e-mail channels, which are notified of a disabled channel.
-- name: ListOtherMessageChannels :many
SELECT id FROM notification_channels
WHERE account_id = @account_id AND id <> @channel_id AND enabled AND deleted_at IS NULL AND channel_type <> 'webhook'
ORDER BY id;

-- InsertAnnouncements inserts pending deliveries that belong to no event.
-- name: InsertAnnouncements :exec
INSERT INTO notification_deliveries (account_id, id, channel_id, event_type, payload, status, generation, attempts_in_generation, total_attempts,
  created_at, next_attempt_at)
SELECT @account_id, k.id, k.channel_id, @event_type, @payload, 'pending', 1, 0, 0, @now, @now::timestamptz
FROM ROWS FROM (unnest(@ids::uuid[]), unnest(@channel_ids::uuid[])) AS k (id, channel_id);

-- DeleteExpiredDeliveries deletes deliveries that ended before a time, a batch at a time. Cross-tenant.
-- name: DeleteExpiredDeliveries :execrows
DELETE FROM notification_deliveries AS e
WHERE e.finished_at < @before AND e.ctid = ANY (ARRAY(
  SELECT d.ctid FROM notification_deliveries AS d
  WHERE d.finished_at < @before
  ORDER BY d.finished_at
  LIMIT 5000
));
