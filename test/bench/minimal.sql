-- The minimal transaction that records a completed deployment: one statement, one round trip, one commit. It inserts a deployment
-- and its event and upserts the state of one of 80 pairs of product and environment, and decides nothing.
--
-- pgbench sends it with the variables body (the JSON of a real event) and metadata (its extra_metadata), set with -D. Identifiers
-- are ordered by time, as the server's are.
\set pair random(0, 79)
\set salt random(0, 4611686018427387903)
WITH new AS (
  SELECT
    encode(int8send((extract(epoch FROM clock_timestamp()) * 1000000)::bigint) || int8send(:salt), 'hex')::uuid AS id,
    ('00000000-0000-7000-8000-1' || lpad((:pair / 4)::text, 11, '0'))::uuid AS product_id,
    ('00000000-0000-7000-8000-2' || lpad((:pair % 4)::text, 11, '0'))::uuid AS environment_id,
    (:salt % 100000000000)::text AS run_id
), deployment AS (
  INSERT INTO minimal_deployments (
    account_id, id, product_id, version_id, environment_id, status, seen, invoke_id, attempt, source_system, build_number, scm_sha,
    scm_branch, scm_repository, deploy_url, deployed_by, deployed_by_email, deployed_by_name, soak_time_hours, deployed_at, started_at,
    completed_at, extra_metadata, created_at, updated_at)
  SELECT
    '00000000-0000-7000-8000-000000000001', id, product_id, product_id, environment_id, 'completed', '{completed}', run_id, 1, 'github',
    run_id, '3f786850e387550fdab836ed7e6dc881de23001b', 'main', 'acme-industries/checkout-service-07',
    'https://github.com/acme-industries/checkout-service-07/actions/runs/' || run_id, 'ada-lovelace', 'ada.lovelace@acme.example',
    'Ada Lovelace', 26.5, now(), now(), now(), :metadata::jsonb, now(), now()
  FROM new
  RETURNING account_id, id, product_id, environment_id, completed_at
), event AS (
  INSERT INTO minimal_events (account_id, id, received_at, api_key_id, status, effect, deployment_id, body)
  SELECT account_id, id, completed_at, '00000000-0000-7000-8000-000000000002', 'completed', 'created', id, :body::json
  FROM deployment
)
INSERT INTO minimal_state (account_id, product_id, environment_id, deployment_id, since)
SELECT account_id, product_id, environment_id, id, completed_at
FROM deployment
ON CONFLICT (account_id, product_id, environment_id) DO UPDATE SET deployment_id = EXCLUDED.deployment_id, since = EXCLUDED.since
RETURNING deployment_id, since;
