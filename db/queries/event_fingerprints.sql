-- GetTriedDeploymentEvent finds the event that was recorded by a request of which it is only known that it was tried since
-- then; there is no row when it was not recorded. Three minutes before, an equal event was the same one (is_repeat), of which
-- the try has recorded nothing new.
-- name: GetTriedDeploymentEvent :one
SELECT r.* FROM event_fingerprints AS f
JOIN recorded_deployment_events AS r
  ON r.account_id = f.account_id AND r.event_id = f.event_id AND r.event_received_at = f.event_received_at AND r.id = f.record_id
WHERE f.account_id = @account_id AND f.fingerprint = @fingerprint
  AND f.event_received_at >= (@tried_since)::timestamptz - interval '3 minutes';

-- GetTriedBuildEvent is the same for a build.
-- name: GetTriedBuildEvent :one
SELECT r.* FROM event_fingerprints AS f
JOIN recorded_build_events AS r
  ON r.account_id = f.account_id AND r.event_id = f.event_id AND r.event_received_at = f.event_received_at AND r.id = f.record_id
WHERE f.account_id = @account_id AND f.fingerprint = @fingerprint
  AND f.event_received_at >= (@tried_since)::timestamptz - interval '3 minutes';
