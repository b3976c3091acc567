-- ListNotificationHistory returns a page of the account's deliveries, newest first.
-- name: ListNotificationHistory :many
SELECT * FROM notification_records
WHERE account_id = @account_id
  AND (sqlc.narg('after_at')::timestamptz IS NULL OR (created_at, id) < (sqlc.narg('after_at')::timestamptz, sqlc.narg('after_id')::uuid))
  AND (sqlc.narg('channel_id')::uuid IS NULL OR channel_id = sqlc.narg('channel_id')::uuid)
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
  AND (sqlc.narg('event_type')::text IS NULL OR event_type = sqlc.narg('event_type')::text)
  AND (sqlc.narg('since')::timestamptz IS NULL OR created_at >= sqlc.narg('since')::timestamptz)
  AND (sqlc.narg('until')::timestamptz IS NULL OR created_at < sqlc.narg('until')::timestamptz)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- GetNotificationRecord returns one delivery with its channel.
-- name: GetNotificationRecord :one
SELECT * FROM notification_records
WHERE account_id = @account_id AND id = @id;

-- RecordTest notes what came of a message that somebody asked for to try a channel.
-- name: RecordTest :one
INSERT INTO notification_deliveries (
  account_id, id, channel_id, event_type, notice, status, tries, attempts, response_status, error_class, latency_ms, last_attempt_at, finished_at)
VALUES (
  @account_id, @id, @channel_id, 'test', @notice, @status, 1, 1, sqlc.narg('response_status'), sqlc.narg('error_class'), sqlc.narg('latency_ms'),
  clock_timestamp(), clock_timestamp())
RETURNING *;

-- EnqueueDelivery puts the job of a delivery in the queue. The tenant is the function's first argument.
-- name: EnqueueDelivery :exec
SELECT enqueue_delivery(@account_id, @channel_id, @id, @round);

-- GetPendingDelivery returns what an attempt needs. There is no row when there is nothing to deliver any more: it was
-- delivered, given up, or asked for again meanwhile, or the channel is disabled or deleted.
-- name: GetPendingDelivery :one
SELECT d.event_type, d.notice, d.tries, c.channel_type, c.sealed_config, c.failing_since
FROM notification_deliveries AS d
JOIN notification_channels AS c ON c.account_id = d.account_id AND c.id = d.channel_id AND c.enabled AND c.deleted_at IS NULL
WHERE d.account_id = @account_id AND d.id = @id AND d.round = @round AND d.status = 'pending';

-- FinishAttempt counts an attempt and notes what came of it, and when the next one is due.
-- name: FinishAttempt :exec
UPDATE notification_deliveries
SET status = @status, attempts = attempts + 1, tries = tries + 1, last_attempt_at = clock_timestamp(),
  response_status = sqlc.narg('response_status'), error_class = sqlc.narg('error_class'), latency_ms = sqlc.narg('latency_ms'),
  next_attempt_at = CASE WHEN @status = 'pending' THEN clock_timestamp() + make_interval(secs => @delay_seconds) END,
  finished_at = CASE WHEN @status <> 'pending' THEN clock_timestamp() END
WHERE account_id = @account_id AND id = @id AND round = @round AND status = 'pending';

-- CancelDelivery gives up what has nowhere to go any more.
-- name: CancelDelivery :exec
UPDATE notification_deliveries
SET status = 'cancelled', error_class = 'channel_disabled', next_attempt_at = NULL, finished_at = clock_timestamp()
WHERE account_id = @account_id AND id = @id AND round = @round AND status = 'pending';

-- CancelDeliveriesOfChannel gives up all that waits for a channel.
-- name: CancelDeliveriesOfChannel :exec
UPDATE notification_deliveries
SET status = 'cancelled', error_class = 'channel_deleted', next_attempt_at = NULL, finished_at = clock_timestamp()
WHERE account_id = @account_id AND channel_id = @channel_id AND status = 'pending';

-- RestartDelivery begins another round: the job of the former one finds nothing to do.
-- name: RestartDelivery :one
UPDATE notification_deliveries
SET status = 'pending', round = round + 1, tries = 0, next_attempt_at = clock_timestamp(), finished_at = NULL
WHERE account_id = @account_id AND id = @id
RETURNING *;

-- AnnounceDisabledChannel tells the account's other channels that people read. The jobs are enqueued with it.
-- name: AnnounceDisabledChannel :exec
WITH made AS (
  INSERT INTO notification_deliveries (account_id, channel_id, event_type, notice, next_attempt_at)
  SELECT c.account_id, c.id, 'notification_channel.disabled', @notice, clock_timestamp()
  FROM notification_channels AS c
  WHERE c.account_id = @account_id AND c.id <> @channel_id AND c.enabled AND c.deleted_at IS NULL AND c.channel_type <> 'webhook'
  RETURNING account_id, channel_id, id, round
)
SELECT enqueue_delivery(account_id, channel_id, id, round) FROM made;

-- EnqueueOwnerMail puts an e-mail to each of the account's admins in the queue: a job for each, so that one address that is
-- refused does not keep the others from hearing.
-- name: EnqueueOwnerMail :exec
SELECT enqueue_owner_mail(u.account_id, u.id, @text::text)
FROM users AS u
WHERE u.account_id = @account_id AND coalesce(u.assigned_role, u.token_role) = 'admin' AND u.email <> '';

-- DeleteForgottenDeliveries forgets, a batch at a time and oldest first, what ended three months ago. It concerns every
-- tenant.
-- name: DeleteForgottenDeliveries :execrows
DELETE FROM notification_deliveries
WHERE (account_id, id) IN (
  SELECT d.account_id, d.id FROM notification_deliveries AS d
  WHERE d.finished_at < clock_timestamp() - interval '90 days'
  ORDER BY d.finished_at
  LIMIT 5000
  FOR UPDATE SKIP LOCKED
);
