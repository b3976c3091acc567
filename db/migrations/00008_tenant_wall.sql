-- The second wall between accounts: what a request does, it does as the role versioner_app, which sees and writes the rows
-- of one account alone, whatever a query forgets to say. The first wall is the account_id in every query. The server makes
-- the role before it migrates (internal/postgres/tenant.go).

-- +goose Up

-- The owner, who migrates, checks credentials, delivers and cleans up, sees everything. The wall is forced upon the owner too,
-- so that it is a policy which lets the owner through. Whoever is versioner_app without naming an account sees nothing, or is
-- refused: a setting that was once set in a transaction is an empty text afterwards. The comparison is as plain as can be,
-- for every small statement pays for it: a subquery, as is often advised for large scans, would cost more.
-- +goose StatementBegin
DO $$
DECLARE
  of_accounts CONSTANT text[] := '{api_keys, users, products, product_names, environments, environment_names, versions, builds, deployments,
    current_state, events, event_fingerprints, releases, release_versions, audit_log, idempotency_keys,
    notification_channels, notification_preferences, notification_deliveries}';
  one text;
BEGIN
  FOREACH one IN ARRAY of_accounts || 'accounts'::text LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', one);
    EXECUTE format('CREATE POLICY owner_sees_all ON %I TO CURRENT_USER USING (true)', one);
    EXECUTE format($policy$CREATE POLICY one_account ON %I TO versioner_app
      USING (%I = current_setting('versioner.account_id', true)::uuid)$policy$,
      one, CASE one WHEN 'accounts' THEN 'id' ELSE 'account_id' END);
  END LOOP;
END
$$;
-- +goose StatementEnd

GRANT SELECT ON accounts, api_keys, users, products, product_names, environments, environment_names, versions, builds, deployments,
  current_state, events, event_fingerprints, releases, release_versions, audit_log, idempotency_keys,
  notification_channels, notification_preferences, notification_deliveries TO versioner_app;
GRANT INSERT ON api_keys, products, product_names, environments, environment_names, versions, builds, deployments,
  current_state, events, event_fingerprints, releases, release_versions, audit_log, idempotency_keys,
  notification_channels, notification_preferences, notification_deliveries TO versioner_app;
GRANT UPDATE ON api_keys, users, products, product_names, environments, environment_names, versions, builds, deployments,
  current_state, event_fingerprints, releases, release_versions, idempotency_keys,
  notification_channels, notification_preferences, notification_deliveries TO versioner_app;
GRANT UPDATE (created_at) ON accounts TO versioner_app; -- only to lock an account's row: nobody writes it
GRANT DELETE ON product_names, environment_names, current_state, releases, release_versions, idempotency_keys,
  notification_preferences TO versioner_app;

-- A filter may only look at a row before the wall has let the row through if it cannot tell what it saw: lower() and LIKE may,
-- comparisons may not, so that only those use an index.
DROP INDEX versions_by_commit, deployments_by_commit;
ALTER TABLE versions ADD COLUMN commit_key text COLLATE "C" GENERATED ALWAYS AS (lower(scm_sha)) STORED;
ALTER TABLE deployments ADD COLUMN commit_key text COLLATE "C" GENERATED ALWAYS AS (lower(scm_sha)) STORED;
CREATE INDEX versions_by_commit ON versions (account_id, commit_key) WHERE commit_key IS NOT NULL;
CREATE INDEX deployments_by_commit ON deployments (account_id, commit_key) WHERE commit_key IS NOT NULL;

-- Views ask for the rights of whoever reads them.
ALTER VIEW deployment_records SET (security_invoker = true);
ALTER VIEW build_records SET (security_invoker = true);
ALTER VIEW version_records SET (security_invoker = true);
ALTER VIEW notification_records SET (security_invoker = true);
ALTER VIEW recorded_deployment_events SET (security_invoker = true);
ALTER VIEW recorded_build_events SET (security_invoker = true);
GRANT SELECT ON deployment_records, build_records, version_records, notification_records, recorded_deployment_events, recorded_build_events TO versioner_app;

-- The queue belongs to no account: jobs are put into it by functions of the owner. So are the notices of events, for events
-- of several accounts share a transaction.
ALTER FUNCTION enqueue_delivery SECURITY DEFINER SET search_path FROM CURRENT;
ALTER FUNCTION enqueue_owner_mail SECURITY DEFINER SET search_path FROM CURRENT;
ALTER FUNCTION notify_of_events SECURITY DEFINER SET search_path FROM CURRENT;
REVOKE EXECUTE ON FUNCTION enqueue_delivery, enqueue_owner_mail FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enqueue_delivery, enqueue_owner_mail TO versioner_app;
