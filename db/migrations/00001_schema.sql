-- The tables. Every table leads with account_id and every key is (account_id, id), so that one tenant's row can never
-- reference another's and the schema can be distributed by account. See CONTRIBUTING.md, "The database".
--
-- Other indexes do not lead with account_id: on a table without statistics the planner takes any index whose first column
-- is compared for as good as the primary key, and would read the whole account for one row.

-- +goose Up

-- Time-ordered identifiers (RFC 9562, version 7): 48 bits of Unix milliseconds, the version, then the random bits and
-- the variant of a version 4 UUID. PostgreSQL has its own uuidv7() only from release 18 on.
-- +goose StatementBegin
CREATE FUNCTION new_id() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
  SELECT (lpad(to_hex(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
    || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;
-- +goose StatementEnd

-- One row: what a replica must agree on with the others before it may serve this database.
CREATE TABLE instance (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  pepper_check bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE accounts (
  id uuid PRIMARY KEY DEFAULT new_id(),
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE api_keys (
  account_id uuid NOT NULL REFERENCES accounts (id),
  id uuid NOT NULL DEFAULT new_id(),
  key_id text NOT NULL CHECK (key_id ~ '^[a-z0-9]{2,32}$'),
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  token_hmac bytea NOT NULL UNIQUE CHECK (length(token_hmac) = 32),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  PRIMARY KEY (account_id, id),
  UNIQUE (key_id, account_id)
);

-- Every replica listens here and forgets the key at once. Only what an administrator changes notifies: last_used_at is
-- written all day long.
-- +goose StatementBegin
CREATE FUNCTION notify_api_key_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('api_key_changed', OLD.id::text);
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER api_key_changed AFTER DELETE OR UPDATE OF token_hmac, expires_at, revoked_at ON api_keys
  FOR EACH ROW EXECUTE FUNCTION notify_api_key_change();

CREATE TABLE products (
  account_id uuid NOT NULL REFERENCES accounts (id),
  id uuid NOT NULL DEFAULT new_id(),
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  extra_metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, id)
);

-- Every name a product answers to in events: its own and, after a rename, the former ones.
CREATE TABLE product_names (
  account_id uuid NOT NULL,
  name text NOT NULL,
  product_id uuid NOT NULL,
  PRIMARY KEY (account_id, name),
  FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE environments (
  account_id uuid NOT NULL REFERENCES accounts (id),
  id uuid NOT NULL DEFAULT new_id(),
  name text NOT NULL,
  type text NOT NULL CHECK (type IN ('dev', 'test', 'staging', 'production', 'other')),
  description text NOT NULL DEFAULT '',
  metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, id)
);

CREATE TABLE environment_names (
  account_id uuid NOT NULL,
  name text NOT NULL,
  environment_id uuid NOT NULL,
  PRIMARY KEY (account_id, name),
  FOREIGN KEY (account_id, environment_id) REFERENCES environments (account_id, id) DEFERRABLE INITIALLY DEFERRED
);

-- scm_sha is set by build events alone: pipelines report the head of the branch with a deployment, not the commit that
-- the version was built from.
CREATE TABLE versions (
  account_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT new_id(),
  product_id uuid NOT NULL,
  version text NOT NULL,
  scm_sha text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, id),
  UNIQUE (product_id, version, account_id),
  FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id)
);

-- seen holds every status that events have reported for the record, in whatever order they came.
CREATE TABLE builds (
  account_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT new_id(),
  product_id uuid NOT NULL,
  version_id uuid NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'started', 'completed', 'failed', 'aborted')),
  seen text[] NOT NULL,
  invoke_id text,
  attempt bigint,
  source_system text,
  build_number text,
  scm_sha text,
  scm_branch text,
  scm_repository text,
  build_url text,
  built_by text,
  built_by_email text,
  built_by_name text,
  error_message text,
  error_code text,
  started_at timestamptz,
  completed_at timestamptz,
  extra_metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id),
  FOREIGN KEY (account_id, version_id) REFERENCES versions (account_id, id)
);
CREATE INDEX builds_by_version ON builds (version_id, created_at DESC);

CREATE TABLE deployments (
  account_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT new_id(),
  product_id uuid NOT NULL,
  version_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'started', 'completed', 'failed', 'aborted')),
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
  extra_metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id),
  FOREIGN KEY (account_id, version_id) REFERENCES versions (account_id, id),
  FOREIGN KEY (account_id, environment_id) REFERENCES environments (account_id, id)
);
CREATE INDEX deployments_by_version ON deployments (version_id, environment_id, created_at DESC);

-- What runs where. One row for each product and environment that events have named together; it is also what events of
-- that pair lock, so that they are recorded one after the other.
CREATE TABLE current_state (
  account_id uuid NOT NULL,
  product_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  deployment_id uuid,
  since timestamptz,
  in_progress_id uuid,
  PRIMARY KEY (account_id, product_id, environment_id),
  FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id),
  FOREIGN KEY (account_id, environment_id) REFERENCES environments (account_id, id),
  FOREIGN KEY (account_id, deployment_id) REFERENCES deployments (account_id, id),
  FOREIGN KEY (account_id, in_progress_id) REFERENCES deployments (account_id, id)
);

-- Every accepted event, append-only, with the body as received: json keeps the text, jsonb would not.
CREATE TABLE events (
  account_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT new_id(),
  received_at timestamptz NOT NULL,
  api_key_id uuid NOT NULL,
  status text NOT NULL,
  effect text NOT NULL CHECK (effect IN ('opened', 'advanced', 'finished', 'repeated', 'late', 'contradicted')),
  deployment_id uuid,
  build_id uuid,
  body json NOT NULL,
  PRIMARY KEY (account_id, id, received_at),
  FOREIGN KEY (account_id, api_key_id) REFERENCES api_keys (account_id, id),
  FOREIGN KEY (account_id, deployment_id) REFERENCES deployments (account_id, id),
  FOREIGN KEY (account_id, build_id) REFERENCES builds (account_id, id),
  CHECK (num_nonnulls(deployment_id, build_id) = 1)
) PARTITION BY RANGE (received_at);

-- Events of a month that nobody prepared (a clock that jumped) land here rather than being refused.
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- +goose StatementBegin
CREATE FUNCTION reject_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events
  FOR EACH ROW EXECUTE FUNCTION reject_event_change();

-- Prepares the partitions from this month to months_ahead months later. It gives up rather than make events wait for
-- somebody who reads them for long, such as a backup; callers try again. A month whose events already lie in the default
-- partition stays there.
-- +goose StatementBegin
CREATE FUNCTION prepare_event_partitions(months_ahead integer) RETURNS void LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
  month timestamp; -- in UTC: months must not depend on the session's time zone
  partition text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('prepare_event_partitions', 0));
  FOR i IN 0..months_ahead LOOP
    month := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i);
    partition := 'events_' || to_char(month, 'YYYY_MM');
    CONTINUE WHEN to_regclass(partition) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
        partition, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
    EXCEPTION WHEN check_violation THEN
      RAISE WARNING 'the events of % stay in the default partition', to_char(month, 'YYYY-MM');
    END;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- The canonical form of recently accepted events, hashed: what tells a repeat from a new event. A table of its own
-- because a unique constraint on a partitioned table would have to contain the partition key.
CREATE TABLE event_fingerprints (
  account_id uuid NOT NULL REFERENCES accounts (id),
  fingerprint bytea NOT NULL,
  event_id uuid NOT NULL,
  event_received_at timestamptz NOT NULL,
  record_id uuid NOT NULL, -- the deployment or build
  PRIMARY KEY (account_id, fingerprint)
);
CREATE INDEX event_fingerprints_by_age ON event_fingerprints (event_received_at);

-- A deployment or a build with the names that people know it by: what every read returns.
CREATE VIEW deployment_records AS
SELECT d.*, p.name AS product_name, v.version, e.name AS environment_name, e.type AS environment_type
FROM deployments d
JOIN products p ON p.account_id = d.account_id AND p.id = d.product_id
JOIN versions v ON v.account_id = d.account_id AND v.id = d.version_id
JOIN environments e ON e.account_id = d.account_id AND e.id = d.environment_id;

CREATE VIEW build_records AS
SELECT b.*, p.name AS product_name, v.version
FROM builds b
JOIN products p ON p.account_id = b.account_id AND p.id = b.product_id
JOIN versions v ON v.account_id = b.account_id AND v.id = b.version_id;
