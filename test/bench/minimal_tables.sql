-- The tables of minimal.sql: as wide as the real ones, with primary keys and nothing else: no foreign key, no check, no other index.

CREATE TABLE minimal_deployments (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  product_id uuid NOT NULL,
  version_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  status text NOT NULL,
  seen text[] NOT NULL,
  invoke_id text,
  attempt bigint,
  source_system text,
  build_number text,
  scm_sha text,
  scm_branch text,
  scm_repository text,
  deploy_url text,
  deployed_by text,
  deployed_by_email text,
  deployed_by_name text,
  soak_time_hours double precision,
  deployed_at timestamptz NOT NULL,
  started_at timestamptz,
  completed_at timestamptz,
  extra_metadata jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, id)
);

CREATE TABLE minimal_events (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  received_at timestamptz NOT NULL,
  api_key_id uuid NOT NULL,
  status text NOT NULL,
  effect text NOT NULL,
  deployment_id uuid NOT NULL,
  body json NOT NULL,
  PRIMARY KEY (account_id, id)
);

CREATE TABLE minimal_state (
  account_id uuid NOT NULL,
  product_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  deployment_id uuid NOT NULL,
  since timestamptz NOT NULL,
  PRIMARY KEY (account_id, product_id, environment_id)
);
