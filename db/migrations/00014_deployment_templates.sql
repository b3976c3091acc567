-- +goose Up
-- Deployment templates: URLs of the pages on which users start deployments, such as those of a CI system, with placeholders for variables.

CREATE TABLE variables (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  product_id uuid, -- null: for all products
  key text NOT NULL,
  value text NOT NULL,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT variables_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT variables_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT variables_product_fkey FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id)
);
CREATE UNIQUE INDEX variables_account_key_key ON variables (account_id, key) WHERE product_id IS NULL;
CREATE UNIQUE INDEX variables_product_key_key ON variables (account_id, product_id, key) WHERE product_id IS NOT NULL;
CREATE INDEX variables_account_created_at_idx ON variables (account_id, created_at DESC, id DESC);

CREATE TABLE deployment_templates (
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  product_id uuid NOT NULL,
  name text NOT NULL,
  url_template text NOT NULL,
  enabled boolean NOT NULL,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT deployment_templates_pkey PRIMARY KEY (account_id, id),
  CONSTRAINT deployment_templates_product_fkey FOREIGN KEY (account_id, product_id) REFERENCES products (account_id, id)
);
CREATE INDEX deployment_templates_account_created_at_idx ON deployment_templates (account_id, created_at DESC, id DESC);
CREATE INDEX deployment_templates_product_created_at_idx ON deployment_templates (product_id, created_at DESC, id DESC);

-- The environments of a template. A product has one template for an environment.
CREATE TABLE deployment_templates_environments (
  account_id uuid NOT NULL,
  product_id uuid NOT NULL,
  environment_id uuid NOT NULL,
  template_id uuid NOT NULL,
  CONSTRAINT deployment_templates_environments_pkey PRIMARY KEY (account_id, product_id, environment_id),
  CONSTRAINT deployment_templates_environments_template_fkey FOREIGN KEY (account_id, template_id) REFERENCES deployment_templates (account_id, id),
  CONSTRAINT deployment_templates_environments_environment_fkey FOREIGN KEY (account_id, environment_id) REFERENCES environments (account_id, id)
);
CREATE INDEX deployment_templates_environments_template_idx ON deployment_templates_environments (template_id);

-- Both views show nothing of deleted products, and no deleted environments. The names are looked up for each row.
CREATE VIEW variable_details WITH (security_invoker = true) AS
SELECT v.account_id, v.id, v.product_id, p.name AS product_name, v.key, v.value, v.revision, v.created_at, v.updated_at
FROM variables v
LEFT JOIN products p ON p.account_id = v.account_id AND p.id = v.product_id
WHERE p.deleted_at IS NULL;

CREATE VIEW deployment_template_details WITH (security_invoker = true) AS
SELECT t.account_id, t.id, t.product_id, coalesce(p.name, '') AS product_name, t.name, t.url_template, t.enabled, t.revision, t.created_at, t.updated_at,
  coalesce(te.environment_ids, '{}')::uuid[] AS environment_ids, coalesce(te.environment_names, '{}')::text[] AS environment_names
FROM deployment_templates t
LEFT JOIN products p ON p.account_id = t.account_id AND p.id = t.product_id
LEFT JOIN LATERAL (
  SELECT array_agg(e.id ORDER BY e.name COLLATE "C", e.id) AS environment_ids, array_agg(e.name ORDER BY e.name COLLATE "C", e.id) AS environment_names
  FROM deployment_templates_environments te
  JOIN environments e ON e.account_id = te.account_id AND e.id = te.environment_id AND e.deleted_at IS NULL
  WHERE te.account_id = t.account_id AND te.template_id = t.id
) te ON true
WHERE p.deleted_at IS NULL;

-- +goose StatementBegin
DO $$
DECLARE
  v_table text;
BEGIN
  FOREACH v_table IN ARRAY '{variables, deployment_templates, deployment_templates_environments}'::text[] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', v_table);
    EXECUTE format('CREATE POLICY owner_bypass ON %I TO CURRENT_USER USING (true)', v_table);
    EXECUTE format($policy$CREATE POLICY tenant_isolation ON %I TO versioner_app
      USING (array_position((SELECT nullif(current_setting('app.account_ids', true), '')::uuid[]), account_id) IS NOT NULL)$policy$, v_table);
  END LOOP;
END
$$;
-- +goose StatementEnd

GRANT SELECT, INSERT, UPDATE, DELETE ON variables, deployment_templates TO versioner_app;
GRANT SELECT, INSERT, DELETE ON deployment_templates_environments TO versioner_app;
GRANT SELECT ON variable_details, deployment_template_details TO versioner_app;
