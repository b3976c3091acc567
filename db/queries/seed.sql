-- HasData reports whether an account has events, products or releases.
-- name: HasData :one
SELECT (EXISTS (SELECT FROM events AS e WHERE e.account_id = @account_id)
  OR EXISTS (SELECT FROM products AS p WHERE p.account_id = @account_id)
  OR EXISTS (SELECT FROM releases AS r WHERE r.account_id = @account_id))::boolean;

-- SetSampleTimes backdates the objects of the sample data to the times of their changes in the audit log, the last uses of keys to those
-- of their events, and of users to those of their changes. A channel whose receiver is gone is disabled.
-- name: SetSampleTimes :exec
WITH changed AS (
  SELECT l.object_id, min(l.occurred_at) AS first_at, max(l.occurred_at) AS last_at
  FROM audit_log AS l
  WHERE l.account_id = @account_id AND l.credential = @credential AND l.action <> 'release.add_version'
  GROUP BY l.object_id
), set_products AS (
  UPDATE products AS o SET created_at = c.first_at, updated_at = c.last_at
  FROM changed AS c WHERE o.account_id = @account_id AND o.id = c.object_id
), set_environments AS (
  UPDATE environments AS o SET created_at = c.first_at, updated_at = c.last_at
  FROM changed AS c WHERE o.account_id = @account_id AND o.id = c.object_id
), set_releases AS (
  UPDATE releases AS o SET created_at = c.first_at, updated_at = c.last_at
  FROM changed AS c WHERE o.account_id = @account_id AND o.id = c.object_id
), set_channels AS (
  UPDATE notification_channels AS o
  SET created_at = c.first_at, updated_at = c.last_at, enabled = g.at IS NULL, disabled_at = g.at, disabled_reason = CASE WHEN g.at IS NOT NULL THEN 'gone' END
  FROM changed AS c
  LEFT JOIN (
    SELECT n.channel_id, max(n.finished_at) AS at
    FROM notification_deliveries AS n
    WHERE n.account_id = @account_id AND n.error_class = 'gone'
    GROUP BY n.channel_id
  ) AS g ON g.channel_id = c.object_id
  WHERE o.account_id = @account_id AND o.id = c.object_id
), set_preferences AS (
  UPDATE notification_preferences AS o SET created_at = c.first_at, updated_at = c.last_at
  FROM changed AS c WHERE o.account_id = @account_id AND o.id = c.object_id
), set_keys AS (
  UPDATE api_keys AS o
  SET created_at = c.first_at, revoked_at = CASE WHEN o.revoked_at IS NOT NULL THEN c.last_at END,
    last_used_at = (SELECT max(e.received_at) FROM events AS e WHERE e.account_id = @account_id AND e.api_key_id = o.id)
  FROM changed AS c WHERE o.account_id = @account_id AND o.id = c.object_id
)
UPDATE users AS o SET last_seen_at = greatest(o.last_seen_at, a.last_at)
FROM (
  SELECT l.actor_id, max(l.occurred_at) AS last_at
  FROM audit_log AS l
  WHERE l.account_id = @account_id AND l.credential = @credential
  GROUP BY l.actor_id
) AS a
WHERE o.account_id = @account_id AND o.id = a.actor_id;

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
SELECT @account_id, k.id, k.channel_id, k.event_type, k.event_id, k.subject_id, k.payload, k.status, 1,
  k.attempts, k.attempts, k.response_status, k.error_class, k.latency_ms, k.created_at, k.finished_at, k.finished_at
FROM jsonb_to_recordset(@rows::jsonb) AS k (id uuid, channel_id uuid, event_type text, event_id uuid, subject_id uuid, payload jsonb, status text,
  attempts integer, response_status integer, error_class text, latency_ms integer, created_at timestamptz, finished_at timestamptz);

-- DiscardSampleJobs deletes the jobs that an account's sample data has enqueued since its beginning, so that nothing is sent.
-- name: DiscardSampleJobs :exec
DELETE FROM river_job
WHERE created_at >= @since::timestamptz
  AND (args ->> 'account_id' = (@account_id::uuid)::text OR args -> 'events' -> 0 ->> 'account_id' = (@account_id::uuid)::text);
