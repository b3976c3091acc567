-- +goose Up
-- Each of these views has one table that its lists are of, and names that the rows refer to, which exist. Outer joins keep the planner from
-- reading the names first, and then all rows of each: it expects few rows, as it multiplies the shares of the account and of a name, which
-- are the same rows.

CREATE OR REPLACE VIEW deployment_details WITH (security_invoker = true) AS
SELECT d.account_id, d.id, d.product_id, d.version_id, d.environment_id, d.status, d.invoke_id, d.source_system, d.build_number, d.scm_sha,
  d.scm_branch, d.scm_repository, d.deploy_url, d.deployed_by, d.deployed_by_email, d.deployed_by_name, d.soak_time_hours, d.occurred_at,
  d.started_at, d.completed_at, d.last_event_at, d.superseded, d.overtaken, d.extra_metadata, d.created_at,
  coalesce(p.name, '') AS product_name, coalesce(v.version, '') AS version, coalesce(e.name, '') AS environment_name,
  coalesce(e.type, '') AS environment_type, d.unsuccessful_status, d.rejections, d.last_rejected_at, d.previous_attempt_id
FROM deployments d
LEFT JOIN products p ON p.account_id = d.account_id AND p.id = d.product_id
LEFT JOIN versions v ON v.account_id = d.account_id AND v.id = d.version_id
LEFT JOIN environments e ON e.account_id = d.account_id AND e.id = d.environment_id
WHERE p.deleted_at IS NULL AND e.deleted_at IS NULL;

CREATE OR REPLACE VIEW build_details WITH (security_invoker = true) AS
SELECT b.account_id, b.id, b.product_id, b.version_id, b.status, b.invoke_id, b.source_system, b.build_number, b.scm_sha, b.scm_branch,
  b.scm_repository, b.build_url, b.built_by, b.built_by_email, b.built_by_name, b.error_message, b.error_code, b.occurred_at, b.started_at,
  b.completed_at, b.last_event_at, b.superseded, b.overtaken, b.extra_metadata, b.created_at, coalesce(p.name, '') AS product_name,
  coalesce(v.version, '') AS version
FROM builds b
LEFT JOIN products p ON p.account_id = b.account_id AND p.id = b.product_id
LEFT JOIN versions v ON v.account_id = b.account_id AND v.id = b.version_id
WHERE p.deleted_at IS NULL;

CREATE OR REPLACE VIEW version_details WITH (security_invoker = true) AS
SELECT v.account_id, v.id, v.product_id, v.version, v.scm_sha, v.created_at, coalesce(p.name, '') AS product_name, b.id AS build_id,
  b.status AS build_status, b.build_url
FROM versions v
LEFT JOIN products p ON p.account_id = v.account_id AND p.id = v.product_id
LEFT JOIN builds b ON b.account_id = v.account_id AND b.id = v.latest_build_id
WHERE p.deleted_at IS NULL;

CREATE OR REPLACE VIEW delivery_details WITH (security_invoker = true) AS
SELECT d.account_id, d.id, d.channel_id, d.event_type, d.event_id, d.subject_id, d.status, d.total_attempts, d.response_status,
  d.error_class, d.latency_ms, d.created_at, d.last_attempt_at, d.next_attempt_at, d.finished_at, coalesce(c.name, '') AS channel_name,
  coalesce(c.channel_type, '') AS channel_type
FROM notification_deliveries d
LEFT JOIN notification_channels c ON c.account_id = d.account_id AND c.id = d.channel_id;
