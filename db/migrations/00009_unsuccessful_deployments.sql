-- +goose Up
-- The deployments that have failed or were aborted, by age. An index on the status, partial ones included, would end HOT updates: a deployment
-- that is started and then completed would have new entries in every index. This column changes only when a deployment ends without success.
-- It rewrites the table, during which requests wait (docs/performance.md has a figure).
-- squawk-ignore adding-field-with-default
ALTER TABLE deployments ADD COLUMN unsuccessful_status text GENERATED ALWAYS AS (CASE WHEN status IN ('failed', 'aborted') THEN status END) STORED;

CREATE INDEX deployments_unsuccessful_idx ON deployments (account_id, unsuccessful_status, occurred_at DESC, id DESC) WHERE unsuccessful_status IS NOT NULL;
CREATE INDEX deployments_product_unsuccessful_idx ON deployments (product_id, unsuccessful_status, occurred_at DESC, id DESC)
  WHERE unsuccessful_status IS NOT NULL;
CREATE INDEX deployments_environment_unsuccessful_idx ON deployments (environment_id, unsuccessful_status, occurred_at DESC, id DESC)
  WHERE unsuccessful_status IS NOT NULL;

CREATE OR REPLACE VIEW deployment_details WITH (security_invoker = true) AS
SELECT d.account_id, d.id, d.product_id, d.version_id, d.environment_id, d.status, d.invoke_id, d.source_system, d.build_number,
  d.scm_sha, d.scm_branch, d.scm_repository, d.deploy_url, d.deployed_by, d.deployed_by_email, d.deployed_by_name, d.soak_time_hours,
  d.occurred_at, d.started_at, d.completed_at, d.last_event_at, d.superseded, d.overtaken, d.extra_metadata, d.created_at,
  p.name AS product_name, v.version, e.name AS environment_name, e.type AS environment_type, d.unsuccessful_status
FROM deployments d
JOIN products p ON p.account_id = d.account_id AND p.id = d.product_id AND p.deleted_at IS NULL
JOIN versions v ON v.account_id = d.account_id AND v.id = d.version_id
JOIN environments e ON e.account_id = d.account_id AND e.id = d.environment_id AND e.deleted_at IS NULL;
