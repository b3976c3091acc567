-- SetProductTimes backdates a product of the sample data.
-- name: SetProductTimes :exec
UPDATE products SET created_at = least(created_at, @at::timestamptz), updated_at = @at::timestamptz
WHERE account_id = @account_id AND id = @id;

-- SetEnvironmentTimes backdates an environment of the sample data.
-- name: SetEnvironmentTimes :exec
UPDATE environments SET created_at = least(created_at, @at::timestamptz), updated_at = @at::timestamptz
WHERE account_id = @account_id AND id = @id;

-- SetReleaseTimes backdates a release of the sample data.
-- name: SetReleaseTimes :exec
UPDATE releases SET created_at = least(created_at, @at::timestamptz), updated_at = @at::timestamptz
WHERE account_id = @account_id AND id = @id;

-- SetAPIKeyTimes backdates an API key of the sample data.
-- name: SetAPIKeyTimes :exec
UPDATE api_keys SET created_at = @created_at, revoked_at = sqlc.narg('revoked_at')
WHERE account_id = @account_id AND id = @id;

-- SetChannelTimes backdates a notification channel of the sample data and its preferences. One whose receiver is gone is disabled.
-- name: SetChannelTimes :exec
WITH of_channel AS (
  UPDATE notification_channels AS c
  SET created_at = @at, updated_at = @at, enabled = sqlc.narg('disabled_at')::timestamptz IS NULL, disabled_at = sqlc.narg('disabled_at'),
    disabled_reason = CASE WHEN sqlc.narg('disabled_at')::timestamptz IS NOT NULL THEN 'gone' END
  WHERE c.account_id = @account_id AND c.id = @id
  RETURNING c.id
)
UPDATE notification_preferences AS p SET created_at = @at, updated_at = @at
WHERE p.account_id = @account_id AND p.channel_id = (SELECT of_channel.id FROM of_channel);

-- ListPastDeployments returns the events that have ended deployments, oldest first, with the content of the messages about them.
-- name: ListPastDeployments :many
SELECT e.id, e.received_at, d.id AS subject_id, jsonb_strip_nulls(jsonb_build_object(
    'id', d.id, 'status', d.status, 'occurred_at', e.received_at, 'product', d.product_name, 'version', d.version, 'environment', d.environment_name,
    'deployer', d.deployed_by_name, 'repository', d.scm_repository, 'commit_sha', d.scm_sha, 'source_url', d.deploy_url,
    'error', d.extra_metadata ->> 'error'))::jsonb AS payload
FROM events AS e
JOIN deployment_details AS d ON d.account_id = @account_id AND d.id = e.deployment_id
WHERE e.account_id = @account_id AND e.status = @status AND e.received_at >= @since AND e.received_at < @until
  AND (cardinality(@environments::text[]) = 0 OR d.environment_name = ANY (@environments::text[]))
ORDER BY e.received_at, e.id;

-- InsertPastDeliveries records deliveries of the sample data, which are all finished: nothing is sent.
-- name: InsertPastDeliveries :exec
INSERT INTO notification_deliveries (account_id, id, channel_id, event_type, event_id, subject_id, payload, status, generation,
  attempts_in_generation, total_attempts, response_status, error_class, latency_ms, created_at, last_attempt_at, finished_at)
SELECT @account_id, k.id, @channel_id, @event_type, k.event_id, k.subject_id, k.payload, k.status, 1,
  k.attempts, k.attempts, k.response_status, k.error_class, k.latency_ms, k.created_at, k.finished_at, k.finished_at
FROM jsonb_to_recordset(@rows::jsonb) AS k (id uuid, event_id uuid, subject_id uuid, payload jsonb, status text, attempts integer,
  response_status integer, error_class text, latency_ms integer, created_at timestamptz, finished_at timestamptz);
