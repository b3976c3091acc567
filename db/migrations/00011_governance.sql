-- +goose Up
-- Governance: what decides whether a deployment may start. Its integers are bounded: minutes of a day, priorities, a rejection in three minutes.

-- The state of an account's governance. Every change of a rule locks the row and increments the revision, and every start of a deployment
-- that rules apply to locks it too: a change binds from its commit. The settings have a revision of their own, for their ETag.
CREATE TABLE governance_state (
  account_id uuid NOT NULL,
  revision bigint NOT NULL DEFAULT 1,
  requester_may_approve boolean NOT NULL DEFAULT false,
  break_glass_second_person boolean NOT NULL DEFAULT false,
  -- squawk-ignore prefer-bigint-over-int
  break_glass_max_minutes integer NOT NULL DEFAULT 60,
  approval_mails boolean NOT NULL DEFAULT true,
  settings_revision bigint NOT NULL DEFAULT 1,
  settings_updated_at timestamptz,
  CONSTRAINT governance_state_pkey PRIMARY KEY (account_id),
  CONSTRAINT governance_state_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT governance_state_break_glass_max_minutes_check CHECK (break_glass_max_minutes BETWEEN 1 AND 240)
);

CREATE TABLE deployment_rules (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  rule_type text NOT NULL,
  mode text NOT NULL,
  -- squawk-ignore prefer-bigint-over-int
  priority integer NOT NULL,
  rollback text, -- null for concurrency rules
  scope jsonb NOT NULL, -- policy.Scope
  config jsonb NOT NULL, -- the configuration of the type, as policy.Rule.Config encodes it
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  CONSTRAINT deployment_rules_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT deployment_rules_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT deployment_rules_type_check CHECK (rule_type IN ('schedule', 'flow', 'concurrency', 'deployment_request_required', 'version_approval_required')),
  CONSTRAINT deployment_rules_mode_check CHECK (mode IN ('enabled', 'report_only', 'disabled')),
  CONSTRAINT deployment_rules_rollback_check CHECK (rollback IN ('allow', 'enforce'))
);
CREATE UNIQUE INDEX deployment_rules_name_key ON deployment_rules (account_id, lower(name)) WHERE deleted_at IS NULL;
CREATE INDEX deployment_rules_account_created_at_idx ON deployment_rules (account_id, created_at DESC, id DESC);

-- The deployments that were admitted under rules and may still be in progress. Their other facts are those of deployments.
-- A heartbeat is a repeated start with a changed body: the fingerprint is that of the body that was last.
CREATE TABLE deployment_slots (
  account_id uuid NOT NULL,
  product_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  deployment_id uuid NOT NULL,
  admitted_at timestamptz NOT NULL,
  heartbeat_at timestamptz NOT NULL,
  fingerprint bytea,
  CONSTRAINT deployment_slots_pkey PRIMARY KEY (account_id, product_id, environment_id, deployment_id),
  CONSTRAINT deployment_slots_deployment_fkey FOREIGN KEY (account_id, deployment_id) REFERENCES deployments (account_id, id)
);

-- Users are named as they were called at the time; their identifiers are null for those who are no users.
CREATE TABLE break_glass_grants (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  product_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  version text NOT NULL,
  reason text NOT NULL,
  -- squawk-ignore prefer-bigint-over-int
  minutes integer NOT NULL,
  rule_types text[] NOT NULL,
  status text NOT NULL,
  created_by uuid,
  created_by_name text NOT NULL,
  created_at timestamptz NOT NULL,
  confirm_until timestamptz, -- null unless it needed a second person
  confirmed_by uuid,
  confirmed_by_name text,
  confirmed_at timestamptz,
  activated_at timestamptz,
  expires_at timestamptz, -- of the active grant
  used_at timestamptz,
  used_deployment_id uuid,
  revoked_by uuid,
  revoked_by_name text,
  revoked_at timestamptz,
  reviewed_by uuid,
  reviewed_by_name text,
  reviewed_at timestamptz,
  review_comments text,
  revision bigint NOT NULL DEFAULT 1,
  updated_at timestamptz NOT NULL,
  CONSTRAINT break_glass_grants_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT break_glass_grants_product_fkey FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id),
  CONSTRAINT break_glass_grants_environment_fkey FOREIGN KEY (account_id, environment_id) REFERENCES environments (account_id, id),
  CONSTRAINT break_glass_grants_used_deployment_fkey FOREIGN KEY (account_id, used_deployment_id) REFERENCES deployments (account_id, id),
  CONSTRAINT break_glass_grants_status_check CHECK (status IN ('awaiting_second', 'active', 'used', 'expired', 'revoked')),
  CONSTRAINT break_glass_grants_minutes_check CHECK (minutes BETWEEN 1 AND 240)
);
CREATE INDEX break_glass_grants_account_created_at_idx ON break_glass_grants (account_id, created_at DESC, id DESC);
CREATE INDEX break_glass_grants_active_idx ON break_glass_grants (account_id, product_id, environment_id) WHERE status IN ('awaiting_second', 'active');

-- Approvals of versions. Append-only but for their revocation. The latest one that is not revoked counts, for each type and environment.
CREATE TABLE version_approvals (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  version_id uuid NOT NULL,
  environment_id uuid, -- null: for every environment
  approval_type text NOT NULL,
  decision text NOT NULL,
  comments text,
  approver_role text NOT NULL,
  given_by uuid,
  given_by_name text NOT NULL,
  created_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoked_by uuid,
  revoked_by_name text,
  CONSTRAINT version_approvals_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT version_approvals_version_fkey FOREIGN KEY (account_id, version_id) REFERENCES versions (account_id, id),
  CONSTRAINT version_approvals_environment_fkey FOREIGN KEY (account_id, environment_id) REFERENCES environments (account_id, id),
  CONSTRAINT version_approvals_type_check CHECK (approval_type IN ('uat', 'qa', 'performance', 'security', 'code_review', 'compliance', 'release_manager')),
  CONSTRAINT version_approvals_decision_check CHECK (decision IN ('approved', 'rejected'))
);
CREATE INDEX version_approvals_version_created_at_idx ON version_approvals (version_id, created_at DESC, id DESC);

-- What rules found about starts. Append-only. The rule is null for a deployment request that blocks by itself.
CREATE TABLE rule_violations (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  rule_id uuid,
  rule_name text NOT NULL,
  rule_type text NOT NULL,
  action text NOT NULL,
  code text NOT NULL,
  message text NOT NULL,
  clears_at timestamptz, -- null: at no known time
  certain boolean NOT NULL,
  details jsonb NOT NULL,
  deployment_id uuid NOT NULL,
  product_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  version_id uuid NOT NULL,
  grant_id uuid, -- that overrode it
  api_key_id uuid, -- that reported the start
  CONSTRAINT rule_violations_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT rule_violations_rule_fkey FOREIGN KEY (account_id, rule_id) REFERENCES deployment_rules (account_id, id),
  CONSTRAINT rule_violations_deployment_fkey FOREIGN KEY (account_id, deployment_id) REFERENCES deployments (account_id, id),
  CONSTRAINT rule_violations_action_check CHECK (action IN ('blocked', 'reported', 'overridden', 'skipped', 'observed'))
);
CREATE INDEX rule_violations_account_occurred_at_idx ON rule_violations (account_id, occurred_at DESC, id DESC);
CREATE INDEX rule_violations_rule_occurred_at_idx ON rule_violations (rule_id, occurred_at DESC, id DESC);
CREATE INDEX rule_violations_product_occurred_at_idx ON rule_violations (product_id, occurred_at DESC, id DESC);
CREATE INDEX rule_violations_environment_occurred_at_idx ON rule_violations (environment_id, occurred_at DESC, id DESC);
CREATE INDEX rule_violations_deployment_idx ON rule_violations (deployment_id, occurred_at DESC, id DESC);

-- Addresses of the deployment calendar for programs that send no headers.
CREATE TABLE calendar_feeds (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  token_hmac bytea NOT NULL,
  pepper_id bytea,
  created_by uuid,
  created_by_name text NOT NULL,
  created_at timestamptz NOT NULL,
  last_used_at timestamptz,
  revoked_at timestamptz,
  CONSTRAINT calendar_feeds_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT calendar_feeds_token_hmac_key UNIQUE (token_hmac),
  CONSTRAINT calendar_feeds_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT calendar_feeds_token_hmac_check CHECK (length(token_hmac) = 32),
  CONSTRAINT calendar_feeds_pepper_id_check CHECK (length(pepper_id) = 8)
);
CREATE INDEX calendar_feeds_account_created_at_idx ON calendar_feeds (account_id, created_at DESC, id DESC);

-- +goose StatementBegin
DO $$
DECLARE
  v_table text;
BEGIN
  FOREACH v_table IN ARRAY '{governance_state, deployment_rules, deployment_slots, break_glass_grants, version_approvals, rule_violations,
    calendar_feeds}'::text[] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', v_table);
    EXECUTE format('CREATE POLICY owner_bypass ON %I TO CURRENT_USER USING (true)', v_table);
    EXECUTE format($policy$CREATE POLICY tenant_isolation ON %I TO versioner_app
      USING (array_position((SELECT nullif(current_setting('app.account_ids', true), '')::uuid[]), account_id) IS NOT NULL)$policy$, v_table);
  END LOOP;
END
$$;
-- +goose StatementEnd

GRANT SELECT, INSERT ON governance_state, deployment_rules, deployment_slots, break_glass_grants, version_approvals, rule_violations,
  calendar_feeds TO versioner_app;
GRANT UPDATE ON governance_state, deployment_rules, deployment_slots, break_glass_grants, calendar_feeds TO versioner_app;
GRANT UPDATE (revoked_at, revoked_by, revoked_by_name) ON version_approvals TO versioner_app;
GRANT DELETE ON deployment_slots TO versioner_app;

-- What a key is for. squawk-ignore adding-not-nullable-field: the default is a constant.
ALTER TABLE api_keys
  ADD COLUMN scopes text[] NOT NULL DEFAULT '{events}',
  ADD CONSTRAINT api_keys_scopes_check CHECK (scopes <> '{}' AND scopes <@ '{events, preflight, skip_preflight}'::text[]);

-- Attempts: starts that rules have blocked. They are the deployments with the status preflight_failed, and the only ones that were rejected.
-- The values of existing rows satisfy the conditions that they replace, which are narrower.
ALTER TABLE deployments
  -- squawk-ignore prefer-bigint-over-int
  ADD COLUMN rejections integer NOT NULL DEFAULT 0,
  ADD COLUMN last_rejected_at timestamptz,
  ADD COLUMN previous_attempt_id uuid, -- of a deployment that was admitted after attempts
  -- squawk-ignore ban-drop-constraint
  DROP CONSTRAINT deployments_status_check,
  ADD CONSTRAINT deployments_status_check
    CHECK (status IN ('pending', 'started', 'completed', 'failed', 'aborted', 'preflight_failed')) NOT VALID,
  ADD CONSTRAINT deployments_rejected_check CHECK ((status = 'preflight_failed') = (last_rejected_at IS NOT NULL)) NOT VALID;

-- Attempts by age. Other deployments are never rejected, so that their updates stay HOT. Lists without attempts ask for last_rejected_at too:
-- unlike unsuccessful_status it needs no generated column, whose change would rewrite the table.
CREATE INDEX deployments_attempts_idx ON deployments (account_id, occurred_at DESC, id DESC) WHERE last_rejected_at IS NOT NULL;
CREATE INDEX deployments_product_attempts_idx ON deployments (product_id, occurred_at DESC, id DESC) WHERE last_rejected_at IS NOT NULL;
CREATE INDEX deployments_environment_attempts_idx ON deployments (environment_id, occurred_at DESC, id DESC) WHERE last_rejected_at IS NOT NULL;
-- Those without a run, by version and environment.
CREATE INDEX deployments_attempts_without_run_idx ON deployments (version_id, environment_id, id DESC) WHERE last_rejected_at IS NOT NULL AND invoke_id IS NULL;

CREATE OR REPLACE VIEW deployment_details WITH (security_invoker = true) AS
SELECT d.account_id, d.id, d.product_id, d.version_id, d.environment_id, d.status, d.invoke_id, d.source_system, d.build_number,
  d.scm_sha, d.scm_branch, d.scm_repository, d.deploy_url, d.deployed_by, d.deployed_by_email, d.deployed_by_name, d.soak_time_hours,
  d.occurred_at, d.started_at, d.completed_at, d.last_event_at, d.superseded, d.overtaken, d.extra_metadata, d.created_at,
  p.name AS product_name, v.version, e.name AS environment_name, e.type AS environment_type, d.unsuccessful_status,
  d.rejections, d.last_rejected_at, d.previous_attempt_id
FROM deployments d
JOIN products p ON p.account_id = d.account_id AND p.id = d.product_id AND p.deleted_at IS NULL
JOIN versions v ON v.account_id = d.account_id AND v.id = d.version_id
JOIN environments e ON e.account_id = d.account_id AND e.id = d.environment_id AND e.deleted_at IS NULL;

ALTER TABLE events
  -- squawk-ignore ban-drop-constraint
  DROP CONSTRAINT events_effect_check,
  ADD CONSTRAINT events_effect_check
    CHECK (effect IN ('created', 'progressed', 'terminated', 'out_of_order', 'conflicting', 'rejected')) NOT VALID;
