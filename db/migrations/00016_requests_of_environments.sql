-- +goose Up
-- Requests wait until this migration ends, as each table is locked and all of its rows change.
-- Deployment requests that name an environment, in the order in which requests are listed. Servers of the former version insert rows without the
-- time.
ALTER TABLE deployment_request_environments ADD COLUMN requested_at timestamptz; -- when the request was created
UPDATE deployment_request_environments AS x SET requested_at = r.created_at
FROM deployment_requests AS r
WHERE r.account_id = x.account_id AND r.id = x.request_id;
-- ALTER TABLE has locked the table already, until the end of the transaction.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX deployment_request_environments_environment_idx;
CREATE INDEX deployment_request_environments_environment_idx ON deployment_request_environments (account_id, environment_id, requested_at DESC, request_id DESC);

-- Which rows are of requests that are neither completed nor cancelled: those that a start of a deployment reads. Servers of the former version leave
-- them open: the status decides.
ALTER TABLE deployment_request_versions ADD COLUMN is_open boolean NOT NULL DEFAULT true;
UPDATE deployment_request_versions AS v SET is_open = false
FROM deployment_requests AS r
WHERE r.account_id = v.account_id AND r.id = v.request_id AND (r.status IN ('completed', 'cancelled') OR r.deleted_at IS NOT NULL);
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX deployment_request_versions_version_idx;
CREATE INDEX deployment_request_versions_version_idx ON deployment_request_versions (account_id, version_id, is_open);
