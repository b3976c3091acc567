-- People: who they are, what they may do, what they change. Releases.

-- +goose Up

-- An account that belongs to an organisation of an identity provider. Accounts made by a command belong to none.
ALTER TABLE accounts
  ADD COLUMN issuer text,
  ADD COLUMN organization_id text,
  ADD CONSTRAINT accounts_tenant UNIQUE (issuer, organization_id),
  ADD CHECK (num_nulls(issuer, organization_id) IN (0, 2));

CREATE TABLE users (
  account_id uuid NOT NULL REFERENCES accounts (id),
  id uuid NOT NULL DEFAULT new_id(),
  subject text NOT NULL,
  name text NOT NULL,
  email text NOT NULL,
  token_role text NOT NULL,
  assigned_role text,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, id),
  UNIQUE (subject, account_id)
);
CREATE INDEX users_by_age ON users (account_id, created_at DESC, id DESC);

-- What is deleted stays, for the history that refers to it, but no view shows it and no name leads to it.
ALTER TABLE products
  ADD COLUMN revision bigint NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz;
ALTER TABLE environments
  ADD COLUMN revision bigint NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz;
CREATE INDEX products_by_age ON products (account_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX environments_by_age ON environments (account_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX versions_by_age ON versions (account_id, created_at DESC, id DESC);
CREATE INDEX versions_by_product ON versions (product_id, created_at DESC, id DESC);
CREATE INDEX versions_by_commit ON versions (account_id, lower(scm_sha) text_pattern_ops) WHERE scm_sha IS NOT NULL;
CREATE INDEX deployments_by_age ON deployments (account_id, created_at DESC, id DESC);
CREATE INDEX deployments_by_product ON deployments (product_id, created_at DESC, id DESC);
CREATE INDEX deployments_by_environment ON deployments (environment_id, created_at DESC, id DESC);
CREATE INDEX deployments_by_commit ON deployments (account_id, lower(scm_sha) text_pattern_ops) WHERE scm_sha IS NOT NULL;

ALTER TABLE api_keys
  ADD COLUMN revision bigint NOT NULL DEFAULT 1,
  ADD COLUMN created_by uuid,
  ADD FOREIGN KEY (account_id, created_by) REFERENCES users (account_id, id);
CREATE INDEX api_keys_by_age ON api_keys (account_id, created_at DESC, id DESC);

CREATE TABLE releases (
  account_id uuid NOT NULL REFERENCES accounts (id),
  id uuid NOT NULL DEFAULT new_id(),
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'in_progress', 'completed', 'cancelled')),
  extra_metadata jsonb NOT NULL DEFAULT '{}',
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, id)
);
CREATE INDEX releases_by_age ON releases (account_id, created_at DESC, id DESC);

-- At most one version of a product in a release.
CREATE TABLE release_versions (
  account_id uuid NOT NULL,
  release_id uuid NOT NULL,
  product_id uuid NOT NULL,
  version_id uuid NOT NULL,
  PRIMARY KEY (account_id, release_id, product_id),
  FOREIGN KEY (account_id, release_id) REFERENCES releases (account_id, id) ON DELETE CASCADE,
  FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id),
  FOREIGN KEY (account_id, version_id) REFERENCES versions (account_id, id)
);

-- One row for each change, in the transaction of the change: who, by which credential, what, from where, and the names of
-- the members that changed, never their values.
CREATE TABLE audit_log (
  account_id uuid NOT NULL REFERENCES accounts (id),
  id uuid NOT NULL DEFAULT new_id(),
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor_type text NOT NULL CHECK (actor_type IN ('user', 'command')),
  actor_id uuid,
  actor_name text NOT NULL,
  credential text NOT NULL,
  action text NOT NULL,
  object_type text NOT NULL,
  object_id uuid NOT NULL,
  fields text[] NOT NULL,
  remote_ip text,
  request_id text,
  PRIMARY KEY (account_id, id)
);
CREATE INDEX audit_log_by_age ON audit_log (account_id, at DESC, id DESC);

-- +goose StatementBegin
CREATE FUNCTION reject_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION reject_audit_change();

-- What the views of deployments and builds show is what is not deleted.
CREATE OR REPLACE VIEW deployment_records AS
SELECT d.*, p.name AS product_name, v.version, e.name AS environment_name, e.type AS environment_type
FROM deployments d
JOIN products p ON p.account_id = d.account_id AND p.id = d.product_id AND p.deleted_at IS NULL
JOIN versions v ON v.account_id = d.account_id AND v.id = d.version_id
JOIN environments e ON e.account_id = d.account_id AND e.id = d.environment_id AND e.deleted_at IS NULL;

CREATE OR REPLACE VIEW build_records AS
SELECT b.*, p.name AS product_name, v.version
FROM builds b
JOIN products p ON p.account_id = b.account_id AND p.id = b.product_id AND p.deleted_at IS NULL
JOIN versions v ON v.account_id = b.account_id AND v.id = b.version_id;

CREATE VIEW version_records AS
SELECT v.*, p.name AS product_name
FROM versions v
JOIN products p ON p.account_id = v.account_id AND p.id = v.product_id AND p.deleted_at IS NULL;
