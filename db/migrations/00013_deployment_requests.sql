-- +goose Up
-- Deployment requests: which versions shall be deployed to which environments, who has to approve it, and what is to do before and after.
-- Users are named as they were called at the time.

-- A deleted request stays, as deployments and its activity refer to it. Each activation has a number: decisions are about one of them.
CREATE TABLE deployment_requests (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  description text NOT NULL,
  status text NOT NULL,
  gate boolean NOT NULL, -- while in progress or rejected, it blocks its versions without any rule
  activation bigint NOT NULL DEFAULT 1, -- incremented by deactivation, which voids the decisions
  created_by uuid NOT NULL,
  created_by_name text NOT NULL,
  created_at timestamptz NOT NULL,
  activated_by uuid, -- of this activation
  activated_by_name text,
  activated_at timestamptz,
  completed_at timestamptz,
  cancelled_at timestamptz,
  revision bigint NOT NULL DEFAULT 1,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  CONSTRAINT deployment_requests_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT deployment_requests_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT deployment_requests_status_check CHECK (status IN ('draft', 'in_progress', 'approved', 'rejected', 'completed', 'cancelled'))
);
CREATE INDEX deployment_requests_account_created_at_idx ON deployment_requests (account_id, created_at DESC, id DESC);
CREATE INDEX deployment_requests_account_status_idx ON deployment_requests (account_id, status, created_at DESC, id DESC);
-- Those that a job completes, of all accounts.
CREATE INDEX deployment_requests_approved_idx ON deployment_requests (account_id, id) WHERE status = 'approved' AND deleted_at IS NULL;

-- One version of a product.
CREATE TABLE deployment_request_versions (
  account_id uuid NOT NULL,
  request_id uuid NOT NULL,
  product_id uuid NOT NULL,
  version_id uuid NOT NULL,
  CONSTRAINT deployment_request_versions_pkey PRIMARY KEY (account_id, request_id, product_id),
  CONSTRAINT deployment_request_versions_request_fkey FOREIGN KEY (account_id, request_id) REFERENCES deployment_requests (account_id, id),
  CONSTRAINT deployment_request_versions_product_fkey FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id),
  CONSTRAINT deployment_request_versions_version_fkey FOREIGN KEY (account_id, version_id) REFERENCES versions (account_id, id)
);
CREATE INDEX deployment_request_versions_version_idx ON deployment_request_versions (account_id, version_id);
CREATE INDEX deployment_request_versions_product_idx ON deployment_request_versions (account_id, product_id);

CREATE TABLE deployment_request_environments (
  account_id uuid NOT NULL,
  request_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  CONSTRAINT deployment_request_environments_pkey PRIMARY KEY (account_id, request_id, environment_id),
  CONSTRAINT deployment_request_environments_request_fkey FOREIGN KEY (account_id, request_id) REFERENCES deployment_requests (account_id, id),
  CONSTRAINT deployment_request_environments_environment_fkey FOREIGN KEY (account_id, environment_id) REFERENCES environments (account_id, id)
);
CREATE INDEX deployment_request_environments_environment_idx ON deployment_request_environments (account_id, environment_id);

-- The slots for approvals, one of each type. A slot has its latest decision, which deactivation and a reset remove; the activity has all.
CREATE TABLE deployment_request_approvals (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  request_id uuid NOT NULL,
  approval_type text NOT NULL,
  required boolean NOT NULL,
  status text NOT NULL DEFAULT 'pending',
  decided_by uuid,
  decided_by_name text,
  approver_role text, -- of the time
  decided_at timestamptz,
  comments text,
  created_at timestamptz NOT NULL,
  CONSTRAINT deployment_request_approvals_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT deployment_request_approvals_type_key UNIQUE (account_id, request_id, approval_type),
  CONSTRAINT deployment_request_approvals_request_fkey FOREIGN KEY (account_id, request_id) REFERENCES deployment_requests (account_id, id),
  CONSTRAINT deployment_request_approvals_type_check
    CHECK (approval_type IN ('uat', 'qa', 'performance', 'security', 'code_review', 'compliance', 'release_manager')),
  CONSTRAINT deployment_request_approvals_status_check CHECK (status IN ('pending', 'approved', 'rejected')),
  CONSTRAINT deployment_request_approvals_decided_check
    CHECK ((status = 'pending') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL))
);

-- What is to do before (pre) and after (post) the deployments. A step is done if it has the time of that.
CREATE TABLE deployment_request_steps (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  request_id uuid NOT NULL,
  phase text NOT NULL,
  title text NOT NULL,
  description text NOT NULL,
  position bigint NOT NULL,
  completed_by uuid,
  completed_by_name text,
  completed_at timestamptz,
  created_at timestamptz NOT NULL,
  CONSTRAINT deployment_request_steps_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT deployment_request_steps_request_fkey FOREIGN KEY (account_id, request_id) REFERENCES deployment_requests (account_id, id),
  CONSTRAINT deployment_request_steps_phase_check CHECK (phase IN ('pre', 'post'))
);
CREATE INDEX deployment_request_steps_request_idx ON deployment_request_steps (account_id, request_id, phase DESC, position, id);

CREATE TABLE deployment_request_comments (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  request_id uuid NOT NULL,
  body text NOT NULL,
  created_by uuid NOT NULL,
  created_by_name text NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT deployment_request_comments_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT deployment_request_comments_request_fkey FOREIGN KEY (account_id, request_id) REFERENCES deployment_requests (account_id, id)
);
CREATE INDEX deployment_request_comments_request_idx ON deployment_request_comments (request_id, created_at DESC, id DESC);

-- What has happened to requests. Append-only.
CREATE TABLE deployment_request_activity (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  request_id uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  action text NOT NULL,
  status text NOT NULL, -- of the request afterwards
  activation bigint NOT NULL,
  subject text, -- a version, environment, slot or step
  comments text,
  actor_id uuid, -- null: the server
  actor_name text,
  CONSTRAINT deployment_request_activity_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT deployment_request_activity_request_fkey FOREIGN KEY (account_id, request_id) REFERENCES deployment_requests (account_id, id)
);
CREATE INDEX deployment_request_activity_request_idx ON deployment_request_activity (request_id, occurred_at DESC, id DESC);

-- What new requests are copied from. Their environments need not exist any more.
CREATE TABLE deployment_request_templates (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  description text NOT NULL,
  environment_ids uuid[] NOT NULL,
  approvals jsonb NOT NULL, -- requests.Slot
  steps jsonb NOT NULL, -- requests.Step
  gate boolean NOT NULL,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT deployment_request_templates_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT deployment_request_templates_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id)
);
CREATE UNIQUE INDEX deployment_request_templates_name_key ON deployment_request_templates (account_id, lower(name));
CREATE INDEX deployment_request_templates_account_created_at_idx ON deployment_request_templates (account_id, created_at DESC, id DESC);

-- +goose StatementBegin
DO $$
DECLARE
  v_table text;
BEGIN
  FOREACH v_table IN ARRAY '{deployment_requests, deployment_request_versions, deployment_request_environments, deployment_request_approvals,
    deployment_request_steps, deployment_request_comments, deployment_request_activity, deployment_request_templates}'::text[] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', v_table);
    EXECUTE format('CREATE POLICY owner_bypass ON %I TO CURRENT_USER USING (true)', v_table);
    EXECUTE format($policy$CREATE POLICY tenant_isolation ON %I TO versioner_app
      USING (array_position((SELECT nullif(current_setting('app.account_ids', true), '')::uuid[]), account_id) IS NOT NULL)$policy$, v_table);
  END LOOP;
END
$$;
-- +goose StatementEnd

GRANT SELECT, INSERT ON deployment_requests, deployment_request_versions, deployment_request_environments, deployment_request_approvals,
  deployment_request_steps, deployment_request_comments, deployment_request_activity, deployment_request_templates TO versioner_app;
GRANT UPDATE ON deployment_requests, deployment_request_versions, deployment_request_approvals, deployment_request_steps,
  deployment_request_templates TO versioner_app;
GRANT DELETE ON deployment_request_versions, deployment_request_environments, deployment_request_approvals, deployment_request_steps,
  deployment_request_templates TO versioner_app;

-- The request under which a deployment was admitted.
ALTER TABLE deployments ADD COLUMN deployment_request_id uuid;

CREATE OR REPLACE VIEW deployment_details WITH (security_invoker = true) AS
SELECT d.account_id, d.id, d.product_id, d.version_id, d.environment_id, d.status, d.invoke_id, d.source_system, d.build_number, d.scm_sha,
  d.scm_branch, d.scm_repository, d.deploy_url, d.deployed_by, d.deployed_by_email, d.deployed_by_name, d.soak_time_hours, d.occurred_at,
  d.started_at, d.completed_at, d.last_event_at, d.superseded, d.overtaken, d.extra_metadata, d.created_at,
  coalesce(p.name, '') AS product_name, coalesce(v.version, '') AS version, coalesce(e.name, '') AS environment_name,
  coalesce(e.type, '') AS environment_type, d.unsuccessful_status, d.rejections, d.last_rejected_at, d.previous_attempt_id,
  d.deployment_request_id
FROM deployments d
LEFT JOIN products p ON p.account_id = d.account_id AND p.id = d.product_id
LEFT JOIN versions v ON v.account_id = d.account_id AND v.id = d.version_id
LEFT JOIN environments e ON e.account_id = d.account_id AND e.id = d.environment_id
WHERE p.deleted_at IS NULL AND e.deleted_at IS NULL;
