-- The schema. It is distributable by account: every tenant's table leads with account_id, every unique key and foreign key of
-- one contains it, and no default or trigger reads a clock. Identifiers and times are made by the server and passed as
-- arguments. Three small global tables (accounts, users, api_keys) are looked up before the tenant is known.
-- db/schema.sql is a snapshot of the result.
--
-- Each look-up of the ingest path has one index that begins with its columns. Where a table is small or new, the planner
-- takes every index whose first column is compared for equally good, and then the newest. So indexes of lists begin with the
-- column that they filter by, which is unique across accounts, and primary keys and look-up indexes are created after them.

-- +goose Up

-- One row: the values that every server on this database must share.
CREATE TABLE cluster_identity (
  singleton boolean NOT NULL DEFAULT true,
  pepper_verifier bytea NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT cluster_identity_pkey PRIMARY KEY (singleton),
  CONSTRAINT cluster_identity_singleton_check CHECK (singleton)
);

-- requests_per_hour: NULL is the server-wide limit, 0 is unlimited. issuer and organization_id are NULL for accounts that a
-- command created.
CREATE TABLE accounts (
  id uuid NOT NULL,
  slug text NOT NULL,
  issuer text,
  organization_id text,
  requests_per_hour integer,
  deliveries_per_day integer,
  created_at timestamptz NOT NULL,
  CONSTRAINT accounts_pkey PRIMARY KEY (id),
  CONSTRAINT accounts_slug_key UNIQUE (slug),
  CONSTRAINT accounts_issuer_organization_key UNIQUE (issuer, organization_id),
  CONSTRAINT accounts_slug_check CHECK (slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  CONSTRAINT accounts_organization_check CHECK (num_nulls(issuer, organization_id) IN (0, 2)),
  CONSTRAINT accounts_requests_per_hour_check CHECK (requests_per_hour >= 0),
  CONSTRAINT accounts_deliveries_per_day_check CHECK (deliveries_per_day >= 0)
);

CREATE TABLE users (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  subject text NOT NULL,
  name text NOT NULL,
  email text NOT NULL,
  claimed_role text NOT NULL,
  assigned_role text,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  CONSTRAINT users_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT users_account_subject_key UNIQUE (account_id, subject),
  CONSTRAINT users_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id)
);
CREATE INDEX users_account_created_at_idx ON users (account_id, created_at DESC, id DESC);

-- Keys are stored by the HMAC of their token. requests_per_minute: NULL is the server-wide limit, 0 is unlimited.
CREATE TABLE api_keys (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  key_id text NOT NULL,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  token_hmac bytea NOT NULL,
  requests_per_minute integer,
  created_by uuid,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  CONSTRAINT api_keys_account_key_id_key UNIQUE (account_id, key_id),
  CONSTRAINT api_keys_token_hmac_key UNIQUE (token_hmac),
  CONSTRAINT api_keys_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT api_keys_created_by_fkey FOREIGN KEY (account_id, created_by) REFERENCES users (account_id, id),
  CONSTRAINT api_keys_key_id_check CHECK (key_id ~ '^[a-z0-9]{2,32}$'),
  CONSTRAINT api_keys_token_hmac_check CHECK (length(token_hmac) = 32),
  CONSTRAINT api_keys_requests_per_minute_check CHECK (requests_per_minute >= 0)
);
CREATE INDEX api_keys_account_created_at_idx ON api_keys (account_id, created_at DESC, id DESC);
ALTER TABLE api_keys ADD CONSTRAINT api_keys_pkey PRIMARY KEY (account_id, id);

-- Deleted products and environments stay for the history that references them; they have no names and no state any more.
CREATE TABLE products (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  extra_metadata jsonb NOT NULL DEFAULT '{}',
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  CONSTRAINT products_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id)
);
CREATE INDEX products_account_created_at_idx ON products (account_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
ALTER TABLE products ADD CONSTRAINT products_pkey PRIMARY KEY (account_id, id);

-- Every name that resolves to a product in events: its own and, after a rename, the former ones.
CREATE TABLE product_names (
  account_id uuid NOT NULL,
  name text NOT NULL,
  product_id uuid NOT NULL,
  CONSTRAINT product_names_pkey PRIMARY KEY (account_id, name),
  CONSTRAINT product_names_product_fkey FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE environments (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  type text NOT NULL,
  description text NOT NULL DEFAULT '',
  metadata jsonb NOT NULL DEFAULT '{}',
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  CONSTRAINT environments_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT environments_type_check CHECK (type IN ('dev', 'test', 'staging', 'production', 'other'))
);
CREATE INDEX environments_account_created_at_idx ON environments (account_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
ALTER TABLE environments ADD CONSTRAINT environments_pkey PRIMARY KEY (account_id, id);

CREATE TABLE environment_names (
  account_id uuid NOT NULL,
  name text NOT NULL,
  environment_id uuid NOT NULL,
  CONSTRAINT environment_names_pkey PRIMARY KEY (account_id, name),
  CONSTRAINT environment_names_environment_fkey FOREIGN KEY (account_id, environment_id) REFERENCES environments (account_id, id) DEFERRABLE INITIALLY DEFERRED
);

-- A version is also the state of its builds: events of the pair product + version lock its row.
-- semver_key sorts by SemVer precedence and is NULL for what is not SemVer; occurred_at is the first build or completed
-- deployment; the *_completed_at columns hold the first completed deployment anywhere and by type of environment.
-- scm_sha is bound by completed builds only; scm_branch and scm_repository are those of the newest build.
CREATE TABLE versions (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  product_id uuid NOT NULL,
  version text NOT NULL,
  semver_key text COLLATE "C",
  scm_sha text,
  commit_key text COLLATE "C" GENERATED ALWAYS AS (lower(scm_sha)) STORED,
  scm_branch text,
  scm_repository text,
  latest_build_id uuid,
  open_build_ids uuid[] NOT NULL DEFAULT '{}',
  occurred_at timestamptz,
  first_completed_at timestamptz,
  dev_completed_at timestamptz,
  test_completed_at timestamptz,
  staging_completed_at timestamptz,
  created_at timestamptz NOT NULL,
  CONSTRAINT versions_product_fkey FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id)
);
CREATE INDEX versions_account_created_at_idx ON versions (account_id, created_at DESC, id DESC);
CREATE INDEX versions_product_created_at_idx ON versions (product_id, created_at DESC, id DESC);
CREATE INDEX versions_commit_idx ON versions (account_id, commit_key) WHERE commit_key IS NOT NULL;
ALTER TABLE versions ADD CONSTRAINT versions_pkey PRIMARY KEY (account_id, id);
ALTER TABLE versions ADD CONSTRAINT versions_product_version_account_key UNIQUE (product_id, version, account_id);

-- seen_statuses holds every status that events have reported for the build. superseded and overtaken are set when other
-- builds complete; with last_event_at they decide whether an unfinished build is stale.
CREATE TABLE builds (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  product_id uuid NOT NULL,
  version_id uuid NOT NULL,
  status text NOT NULL,
  seen_statuses text[] NOT NULL,
  invoke_id text,
  attempt bigint,
  source_system text,
  build_number text,
  scm_sha text,
  commit_key text COLLATE "C" GENERATED ALWAYS AS (lower(scm_sha)) STORED,
  scm_branch text,
  scm_repository text,
  build_url text,
  built_by text,
  built_by_email text,
  built_by_name text,
  error_message text,
  error_code text,
  occurred_at timestamptz NOT NULL,
  started_at timestamptz,
  completed_at timestamptz,
  last_event_at timestamptz NOT NULL,
  superseded boolean NOT NULL,
  overtaken boolean NOT NULL,
  extra_metadata jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT builds_product_fkey FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id),
  CONSTRAINT builds_version_fkey FOREIGN KEY (account_id, version_id) REFERENCES versions (account_id, id),
  CONSTRAINT builds_status_check CHECK (status IN ('pending', 'started', 'completed', 'failed', 'aborted'))
) WITH (fillfactor = 85);
CREATE INDEX builds_account_occurred_at_idx ON builds (account_id, occurred_at DESC, id DESC);
CREATE INDEX builds_product_occurred_at_idx ON builds (product_id, occurred_at DESC, id DESC);
CREATE INDEX builds_commit_idx ON builds (account_id, commit_key) WHERE commit_key IS NOT NULL;
ALTER TABLE builds ADD CONSTRAINT builds_pkey PRIMARY KEY (account_id, id);
CREATE INDEX builds_run_idx ON builds (version_id, invoke_id, id);
ALTER TABLE versions
  ADD CONSTRAINT versions_latest_build_fkey FOREIGN KEY (account_id, latest_build_id) REFERENCES builds (account_id, id);

CREATE TABLE deployments (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  product_id uuid NOT NULL,
  version_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  status text NOT NULL,
  seen_statuses text[] NOT NULL,
  invoke_id text,
  attempt bigint,
  source_system text,
  build_number text,
  scm_sha text,
  commit_key text COLLATE "C" GENERATED ALWAYS AS (lower(scm_sha)) STORED,
  scm_branch text,
  scm_repository text,
  deploy_url text,
  deployed_by text,
  deployed_by_email text,
  deployed_by_name text,
  soak_time_hours double precision,
  occurred_at timestamptz NOT NULL,
  started_at timestamptz,
  completed_at timestamptz,
  last_event_at timestamptz NOT NULL,
  superseded boolean NOT NULL,
  overtaken boolean NOT NULL,
  extra_metadata jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT deployments_product_fkey FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id),
  CONSTRAINT deployments_version_fkey FOREIGN KEY (account_id, version_id) REFERENCES versions (account_id, id),
  CONSTRAINT deployments_environment_fkey FOREIGN KEY (account_id, environment_id) REFERENCES environments (account_id, id),
  CONSTRAINT deployments_status_check CHECK (status IN ('pending', 'started', 'completed', 'failed', 'aborted'))
) WITH (fillfactor = 85);
CREATE INDEX deployments_account_occurred_at_idx ON deployments (account_id, occurred_at DESC, id DESC);
CREATE INDEX deployments_product_occurred_at_idx ON deployments (product_id, occurred_at DESC, id DESC);
CREATE INDEX deployments_environment_occurred_at_idx ON deployments (environment_id, occurred_at DESC, id DESC);
CREATE INDEX deployments_commit_idx ON deployments (account_id, commit_key) WHERE commit_key IS NOT NULL;
ALTER TABLE deployments ADD CONSTRAINT deployments_pkey PRIMARY KEY (account_id, id);
CREATE INDEX deployments_run_idx ON deployments (version_id, environment_id, invoke_id, id);

-- What runs where: one row for each pair product + environment. Events of a pair lock its row. latest is the deployment
-- opened last; open_deployment_ids are the unfinished ones, oldest first.
CREATE TABLE environment_state (
  account_id uuid NOT NULL,
  product_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  current_deployment_id uuid,
  current_since timestamptz,
  latest_deployment_id uuid,
  open_deployment_ids uuid[] NOT NULL DEFAULT '{}',
  CONSTRAINT environment_state_pkey PRIMARY KEY (account_id, product_id, environment_id),
  CONSTRAINT environment_state_product_fkey FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id),
  CONSTRAINT environment_state_environment_fkey FOREIGN KEY (account_id, environment_id) REFERENCES environments (account_id, id),
  CONSTRAINT environment_state_current_deployment_fkey FOREIGN KEY (account_id, current_deployment_id) REFERENCES deployments (account_id, id)
) WITH (fillfactor = 50);
CREATE INDEX environment_state_environment_idx ON environment_state (environment_id);

-- Every accepted event, append-only, with the body as received: json keeps the text, jsonb would not.
CREATE TABLE events (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  received_at timestamptz NOT NULL,
  api_key_id uuid NOT NULL,
  status text NOT NULL,
  effect text NOT NULL,
  deployment_id uuid,
  build_id uuid,
  body json NOT NULL,
  CONSTRAINT events_pkey PRIMARY KEY (account_id, id, received_at),
  CONSTRAINT events_api_key_fkey FOREIGN KEY (account_id, api_key_id) REFERENCES api_keys (account_id, id),
  CONSTRAINT events_deployment_fkey FOREIGN KEY (account_id, deployment_id) REFERENCES deployments (account_id, id),
  CONSTRAINT events_build_fkey FOREIGN KEY (account_id, build_id) REFERENCES builds (account_id, id),
  CONSTRAINT events_effect_check CHECK (effect IN ('created', 'progressed', 'terminated', 'out_of_order', 'conflicting')),
  CONSTRAINT events_subject_check CHECK (num_nonnulls(deployment_id, build_id) = 1)
) PARTITION BY RANGE (received_at);
CREATE INDEX events_deployment_idx ON events (deployment_id, received_at, id) WHERE deployment_id IS NOT NULL;
CREATE INDEX events_build_idx ON events (build_id, received_at, id) WHERE build_id IS NOT NULL;

-- Events of a month without a partition (a clock that jumped) are stored here rather than refused.
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- The digest of a recent terminal event's body, or of an Idempotency-Key: the means to recognise a repeat. A table of its
-- own because a unique constraint on a partitioned table must contain the partition key. request_hash is set for keys.
CREATE TABLE event_fingerprints (
  account_id uuid NOT NULL,
  fingerprint bytea NOT NULL,
  request_hash bytea,
  event_id uuid NOT NULL,
  subject_id uuid NOT NULL, -- the deployment or build
  received_at timestamptz NOT NULL,
  CONSTRAINT event_fingerprints_pkey PRIMARY KEY (account_id, fingerprint)
) WITH (fillfactor = 85);
CREATE INDEX event_fingerprints_received_at_idx ON event_fingerprints (received_at);

CREATE TABLE releases (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  status text NOT NULL,
  extra_metadata jsonb NOT NULL DEFAULT '{}',
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT releases_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT releases_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT releases_status_check CHECK (status IN ('draft', 'in_progress', 'completed', 'cancelled'))
);
CREATE INDEX releases_account_created_at_idx ON releases (account_id, created_at DESC, id DESC);

-- At most one version of a product in a release.
CREATE TABLE release_versions (
  account_id uuid NOT NULL,
  release_id uuid NOT NULL,
  product_id uuid NOT NULL,
  version_id uuid NOT NULL,
  CONSTRAINT release_versions_pkey PRIMARY KEY (account_id, release_id, product_id),
  CONSTRAINT release_versions_release_fkey FOREIGN KEY (account_id, release_id) REFERENCES releases (account_id, id) ON DELETE CASCADE,
  CONSTRAINT release_versions_product_fkey FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id),
  CONSTRAINT release_versions_version_fkey FOREIGN KEY (account_id, version_id) REFERENCES versions (account_id, id)
);

-- One row for each change, in the transaction of the change: who, by which credential, what, from where, and the names of
-- the fields that changed, never their values.
CREATE TABLE audit_log (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  actor_type text NOT NULL,
  actor_id uuid,
  actor_name text NOT NULL,
  credential text NOT NULL,
  action text NOT NULL,
  object_type text NOT NULL,
  object_id uuid NOT NULL,
  fields text[] NOT NULL,
  remote_ip text,
  request_id text,
  CONSTRAINT audit_log_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT audit_log_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT audit_log_actor_type_check CHECK (actor_type IN ('user', 'command', 'recipient'))
);
CREATE INDEX audit_log_account_occurred_at_idx ON audit_log (account_id, occurred_at DESC, id DESC);

-- POST requests of users with an Idempotency-Key, and their responses (NULL inside of the first request's transaction only). A key
-- belongs to its user. Keys of events are in event_fingerprints.
CREATE TABLE idempotency_keys (
  account_id uuid NOT NULL,
  user_id uuid NOT NULL,
  operation text NOT NULL,
  key text NOT NULL,
  request_hash bytea NOT NULL,
  response bytea,
  is_encrypted boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (account_id, user_id, operation, key),
  CONSTRAINT idempotency_keys_user_fkey FOREIGN KEY (account_id, user_id) REFERENCES users (account_id, id)
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

-- A channel's configuration may hold secrets (a Slack webhook's address is a password): it is encrypted with AES-GCM. A
-- deleted channel stays for the history, without it. failing_since is the first failure since the last success.
CREATE TABLE notification_channels (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  channel_type text NOT NULL,
  encrypted_config bytea NOT NULL,
  enabled boolean NOT NULL,
  disabled_reason text,
  disabled_at timestamptz,
  failing_since timestamptz,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  CONSTRAINT notification_channels_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT notification_channels_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT notification_channels_type_check CHECK (channel_type IN ('slack_webhook', 'webhook', 'email')),
  CONSTRAINT notification_channels_disabled_reason_check CHECK (disabled_reason IN ('gone', 'failing'))
);
CREATE INDEX notification_channels_account_created_at_idx ON notification_channels (account_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;

-- The events that a channel is notified of. An empty filter matches everything. Filters hold names, which need not exist
-- yet, or identifiers.
CREATE TABLE notification_preferences (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  channel_id uuid NOT NULL,
  event_type text NOT NULL,
  environments text[] NOT NULL,
  products text[] NOT NULL,
  statuses text[] NOT NULL,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT notification_preferences_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT notification_preferences_channel_fkey FOREIGN KEY (account_id, channel_id) REFERENCES notification_channels (account_id, id)
);
CREATE INDEX notification_preferences_account_created_at_idx ON notification_preferences (account_id, created_at DESC, id DESC);
CREATE INDEX notification_preferences_event_type_idx ON notification_preferences (account_id, event_type);
CREATE INDEX notification_preferences_channel_idx ON notification_preferences (channel_id, created_at DESC, id DESC);

-- One row for each payload and channel. The payload is the state when the event was recorded: the same for every attempt.
-- channel_id has no foreign key: deliveries to one channel would all lock its row, and channels are never removed. event_id
-- has none because the event log is partitioned by a time that is not known here. generation counts (re)deliveries.
CREATE TABLE notification_deliveries (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  channel_id uuid NOT NULL,
  event_type text NOT NULL,
  event_id uuid,
  subject_id uuid, -- the deployment or build
  payload jsonb NOT NULL,
  status text NOT NULL,
  generation integer NOT NULL,
  attempts_in_generation integer NOT NULL,
  total_attempts integer NOT NULL,
  response_status integer,
  error_class text,
  latency_ms integer,
  created_at timestamptz NOT NULL,
  last_attempt_at timestamptz,
  next_attempt_at timestamptz,
  finished_at timestamptz,
  CONSTRAINT notification_deliveries_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT notification_deliveries_status_check CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled'))
);
CREATE INDEX notification_deliveries_account_created_at_idx ON notification_deliveries (account_id, created_at DESC, id DESC);
CREATE INDEX notification_deliveries_channel_idx ON notification_deliveries (channel_id, created_at DESC, id DESC);
CREATE INDEX notification_deliveries_finished_at_idx ON notification_deliveries (finished_at) WHERE finished_at IS NOT NULL;
-- A channel is notified of each status of a deployment or build once.
CREATE UNIQUE INDEX notification_deliveries_subject_channel_event_key
  ON notification_deliveries (account_id, subject_id, channel_id, event_type) WHERE subject_id IS NOT NULL;

-- Recipients of e-mail channels. An address confirms once for an account; nothing but confirmation e-mails is sent to it before.
-- Addresses are hashed: the channels' configurations, which contain them, are encrypted.
CREATE TABLE notification_recipients (
  account_id uuid NOT NULL,
  address_hash bytea NOT NULL,
  requested_at timestamptz NOT NULL, -- the last request for a confirmation
  confirmed_at timestamptz,
  CONSTRAINT notification_recipients_pkey PRIMARY KEY (account_id, address_hash),
  CONSTRAINT notification_recipients_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id)
);
CREATE INDEX notification_recipients_requested_at_idx ON notification_recipients (requested_at) WHERE confirmed_at IS NULL;

-- What an account has used of its daily quotas, by day in UTC: deliveries and confirmation e-mails, including rejected ones.
CREATE TABLE notification_usage (
  account_id uuid NOT NULL,
  day date NOT NULL,
  kind text NOT NULL,
  used bigint NOT NULL,
  CONSTRAINT notification_usage_pkey PRIMARY KEY (account_id, day, kind),
  CONSTRAINT notification_usage_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT notification_usage_kind_check CHECK (kind IN ('delivery', 'confirmation_email'))
);
CREATE INDEX notification_usage_day_idx ON notification_usage (day);

-- Confirmation e-mails to an address a day, of all accounts together. It belongs to no account: only workers use it.
CREATE TABLE confirmation_email_usage (
  address_hash bytea NOT NULL,
  day date NOT NULL,
  used bigint NOT NULL,
  CONSTRAINT confirmation_email_usage_pkey PRIMARY KEY (address_hash, day)
);
CREATE INDEX confirmation_email_usage_day_idx ON confirmation_email_usage (day);

-- +goose StatementBegin
CREATE FUNCTION forbid_mutation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events
  FOR EACH ROW EXECUTE FUNCTION forbid_mutation();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_mutation();

-- Rows with the names that clients know them by. Views run with the rights of their reader.
CREATE VIEW deployment_details WITH (security_invoker = true) AS
SELECT d.account_id, d.id, d.product_id, d.version_id, d.environment_id, d.status, d.invoke_id, d.source_system, d.build_number,
  d.scm_sha, d.scm_branch, d.scm_repository, d.deploy_url, d.deployed_by, d.deployed_by_email, d.deployed_by_name, d.soak_time_hours,
  d.occurred_at, d.started_at, d.completed_at, d.last_event_at, d.superseded, d.overtaken, d.extra_metadata, d.created_at,
  p.name AS product_name, v.version, e.name AS environment_name, e.type AS environment_type
FROM deployments d
JOIN products p ON p.account_id = d.account_id AND p.id = d.product_id AND p.deleted_at IS NULL
JOIN versions v ON v.account_id = d.account_id AND v.id = d.version_id
JOIN environments e ON e.account_id = d.account_id AND e.id = d.environment_id AND e.deleted_at IS NULL;

CREATE VIEW build_details WITH (security_invoker = true) AS
SELECT b.account_id, b.id, b.product_id, b.version_id, b.status, b.invoke_id, b.source_system, b.build_number,
  b.scm_sha, b.scm_branch, b.scm_repository, b.build_url, b.built_by, b.built_by_email, b.built_by_name, b.error_message, b.error_code,
  b.occurred_at, b.started_at, b.completed_at, b.last_event_at, b.superseded, b.overtaken, b.extra_metadata, b.created_at,
  p.name AS product_name, v.version
FROM builds b
JOIN products p ON p.account_id = b.account_id AND p.id = b.product_id AND p.deleted_at IS NULL
JOIN versions v ON v.account_id = b.account_id AND v.id = b.version_id;

CREATE VIEW version_details WITH (security_invoker = true) AS
SELECT v.account_id, v.id, v.product_id, v.version, v.scm_sha, v.created_at, p.name AS product_name,
  b.id AS build_id, b.status AS build_status, b.build_url
FROM versions v
JOIN products p ON p.account_id = v.account_id AND p.id = v.product_id AND p.deleted_at IS NULL
LEFT JOIN builds b ON b.account_id = v.account_id AND b.id = v.latest_build_id;

CREATE VIEW delivery_details WITH (security_invoker = true) AS
SELECT d.account_id, d.id, d.channel_id, d.event_type, d.event_id, d.subject_id, d.status, d.total_attempts, d.response_status,
  d.error_class, d.latency_ms, d.created_at, d.last_attempt_at, d.next_attempt_at, d.finished_at, c.name AS channel_name, c.channel_type
FROM notification_deliveries d
JOIN notification_channels c ON c.account_id = d.account_id AND c.id = d.channel_id;

-- Row-level security. Requests run as versioner_app, which sees the accounts that app.account_ids lists and nothing without
-- it. The owner (migrations, authentication, workers) sees all: security is forced on the owner too, so a policy grants that.
-- The setting is read once for each statement: in a subselect. The policy is a filter that no index serves, so that it has no
-- part in the choice of a plan.
-- +goose StatementBegin
DO $$
DECLARE
  v_table text;
BEGIN
  FOREACH v_table IN ARRAY '{accounts, users, api_keys, products, product_names, environments, environment_names, versions, builds, deployments,
    environment_state, events, event_fingerprints, releases, release_versions, audit_log, idempotency_keys,
    notification_channels, notification_preferences, notification_deliveries, notification_recipients, notification_usage}'::text[] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', v_table);
    EXECUTE format('CREATE POLICY owner_bypass ON %I TO CURRENT_USER USING (true)', v_table);
    EXECUTE format($policy$CREATE POLICY tenant_isolation ON %I TO versioner_app
      USING (array_position((SELECT nullif(current_setting('app.account_ids', true), '')::uuid[]), %I) IS NOT NULL)$policy$,
      v_table, CASE v_table WHEN 'accounts' THEN 'id' ELSE 'account_id' END);
  END LOOP;
END
$$;
-- +goose StatementEnd

GRANT SELECT ON accounts, users, api_keys, products, product_names, environments, environment_names, versions, builds, deployments,
  environment_state, events, event_fingerprints, releases, release_versions, audit_log, idempotency_keys,
  notification_channels, notification_preferences, notification_deliveries, notification_recipients, notification_usage,
  deployment_details, build_details, version_details, delivery_details TO versioner_app;
GRANT INSERT ON api_keys, products, product_names, environments, environment_names, versions, builds, deployments,
  environment_state, events, event_fingerprints, releases, release_versions, audit_log, idempotency_keys,
  notification_channels, notification_preferences, notification_deliveries, notification_recipients, notification_usage TO versioner_app;
GRANT UPDATE ON users, api_keys, products, product_names, environments, environment_names, versions, builds, deployments,
  environment_state, event_fingerprints, releases, release_versions, idempotency_keys,
  notification_channels, notification_preferences, notification_deliveries, notification_recipients, notification_usage TO versioner_app;
GRANT UPDATE (created_at) ON accounts TO versioner_app; -- the privilege to lock an account's row
GRANT DELETE ON product_names, environment_names, environment_state, releases, release_versions,
  notification_preferences TO versioner_app;
