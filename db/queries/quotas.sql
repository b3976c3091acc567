-- LockQuota serializes the creation of objects of one kind in one account until the transaction ends, so that the count
-- that follows includes the objects of every earlier transaction.
-- name: LockQuota :exec
SELECT pg_advisory_xact_lock(hashtextextended((@account_id::uuid)::text || ' ' || @kind::text, 0));

-- LockQuotas is LockQuota for several accounts, in the order of the argument.
-- name: LockQuotas :exec
SELECT pg_advisory_xact_lock(hashtextextended(k.account_id::text || ' ' || @kind::text, 0)) FROM unnest(@account_ids::uuid[]) AS k (account_id);

-- CountProducts counts the products of an account.
-- name: CountProducts :one
SELECT count(*) FROM products
WHERE account_id = @account_id AND deleted_at IS NULL;

-- CountEnvironments counts the environments of an account.
-- name: CountEnvironments :one
SELECT count(*) FROM environments
WHERE account_id = @account_id AND deleted_at IS NULL;

-- ListProductCounts counts the products of each of several accounts.
-- name: ListProductCounts :many
SELECT account_id, count(*) AS count FROM products
WHERE account_id = ANY (@accounts::uuid[]) AND deleted_at IS NULL
GROUP BY account_id;

-- ListEnvironmentCounts counts the environments of each of several accounts.
-- name: ListEnvironmentCounts :many
SELECT account_id, count(*) AS count FROM environments
WHERE account_id = ANY (@accounts::uuid[]) AND deleted_at IS NULL
GROUP BY account_id;

-- CountNotificationChannels counts the channels of an account.
-- name: CountNotificationChannels :one
SELECT count(*) FROM notification_channels
WHERE account_id = @account_id AND deleted_at IS NULL;

-- CountNotificationPreferences counts the preferences of an account.
-- name: CountNotificationPreferences :one
SELECT count(*) FROM notification_preferences
WHERE account_id = @account_id;

-- CountActiveAPIKeys counts the keys of an account that are neither revoked nor expired.
-- name: CountActiveAPIKeys :one
SELECT count(*) FROM api_keys
WHERE account_id = @account_id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > @now::timestamptz);

-- CountOpenReleases counts the releases of an account that are neither completed nor cancelled.
-- name: CountOpenReleases :one
SELECT count(*) FROM releases
WHERE account_id = @account_id AND status IN ('draft', 'in_progress');

-- CountCalendarFeeds counts the feeds of an account that are not revoked.
-- name: CountCalendarFeeds :one
SELECT count(*) FROM calendar_feeds
WHERE account_id = @account_id AND revoked_at IS NULL;

-- CountOpenDeploymentRequests counts the requests of an account that are neither completed nor cancelled.
-- name: CountOpenDeploymentRequests :one
SELECT count(*) FROM deployment_requests
WHERE account_id = @account_id AND deleted_at IS NULL AND status IN ('draft', 'in_progress', 'approved', 'rejected');

-- CountDeploymentRequestTemplates counts the templates of an account.
-- name: CountDeploymentRequestTemplates :one
SELECT count(*) FROM deployment_request_templates
WHERE account_id = @account_id;

-- CountVariables counts the variables of an account.
-- name: CountVariables :one
SELECT count(*) FROM variable_details
WHERE account_id = @account_id;

-- CountDeploymentTemplates counts the deployment templates of an account.
-- name: CountDeploymentTemplates :one
SELECT count(*) FROM deployment_template_details
WHERE account_id = @account_id;
