-- step 1: accounts, a generator of events, and no indexes but those of constraints until all rows are there
-- Fills a database with bench.deployments deployments of the last six months over 1,000 accounts, and with everything that comes with them. The
-- accounts, products and environments that the benchmark has created by requests exist already: bench.accounts has their slugs. The first one
-- has a third of all deployments, the second one at least 200, and the others have equal shares. Steps of one number may run concurrently, as may the
-- eight parts of a step, of which bench.part is the number.
CREATE TABLE bench_indexes AS
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index AS i
WHERE i.indrelid = ANY ('{versions, builds, deployments, event_fingerprints, audit_log, notification_deliveries}'::regclass[]) AND NOT i.indisunique;

DO $$
DECLARE index_name text;
BEGIN
  FOR index_name IN SELECT name FROM bench_indexes LOOP EXECUTE 'DROP INDEX ' || index_name; END LOOP;
END $$;

INSERT INTO accounts (id, slug, created_at)
SELECT gen_random_uuid(), 'filled-' || n, now() - interval '7 months'
FROM generate_series(1, 1000 - cardinality(string_to_array(current_setting('bench.accounts'), ','))) AS n;

INSERT INTO api_keys (account_id, id, key_id, name, token_hmac, created_at)
SELECT id, gen_random_uuid(), 'filled', 'filled', sha256(uuid_send(id)), created_at FROM accounts WHERE slug LIKE 'filled-%';

INSERT INTO products (account_id, id, name, created_at, updated_at)
SELECT a.id, gen_random_uuid(), 'checkout-service-' || to_char(n, 'FM00'), a.created_at, a.created_at
FROM accounts AS a CROSS JOIN generate_series(0, 19) AS n WHERE a.slug LIKE 'filled-%';

INSERT INTO product_names (account_id, name, product_id)
SELECT p.account_id, p.name, p.id FROM products AS p JOIN accounts AS a ON a.id = p.account_id AND a.slug LIKE 'filled-%';

INSERT INTO environments (account_id, id, name, type, created_at, updated_at)
SELECT a.id, gen_random_uuid(), e.name, e.type, a.created_at, a.created_at
FROM accounts AS a
CROSS JOIN (VALUES ('dev', 'dev'), ('qa', 'test'), ('staging', 'staging'), ('production', 'production'), ('archive', 'other')) AS e (name, type)
WHERE a.slug LIKE 'filled-%' OR e.name = 'archive';

INSERT INTO environment_names (account_id, name, environment_id)
SELECT e.account_id, e.name, e.id FROM environments AS e ON CONFLICT DO NOTHING;

INSERT INTO notification_channels (account_id, id, name, channel_type, encrypted_config, enabled, created_at, updated_at)
SELECT a.id, gen_random_uuid(), 'channel ' || n, 'webhook', '', true, a.created_at, a.created_at FROM accounts AS a CROSS JOIN generate_series(1, 2) AS n;

-- The accounts by number: those of bench.accounts are the first ones.
CREATE TABLE bench_accounts AS
SELECT row_number() OVER (ORDER BY array_position(string_to_array(current_setting('bench.accounts'), ','), a.slug), a.id) AS number, a.id AS account_id,
  (SELECT k.id FROM api_keys AS k WHERE k.account_id = a.id ORDER BY k.id LIMIT 1) AS api_key_id,
  ARRAY(SELECT p.id FROM products AS p WHERE p.account_id = a.id ORDER BY p.name) AS products,
  ARRAY(SELECT e.id FROM environments AS e WHERE e.account_id = a.id ORDER BY array_position('{dev, qa, staging, production, archive}', e.name)) AS environments,
  ARRAY(SELECT c.id FROM notification_channels AS c WHERE c.account_id = a.id ORDER BY c.name) AS channels
FROM accounts AS a;
ANALYZE bench_accounts;

-- bench_id returns the UUIDv7 of a time and a number.
CREATE FUNCTION bench_id(at timestamptz, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid;

-- bench_versions are the versions, oldest first: one for four deployments, k is their number. One in three is of the first account, and 50 or more are of
-- the second one. Products are chosen as if at random.
CREATE UNLOGGED TABLE bench_versions AS
SELECT k, a.account_id, a.api_key_id, a.environments, a.channels, t.at, bench_id(t.at, k) AS id, md5(k::text) || left(md5(k::text), 8) AS scm_sha,
  a.products[1 + (hashint8(k) & 2147483647) % 20] AS product_id, (hashint8(k) & 2147483647) % 20 = 0 AS never_fails
FROM (SELECT current_setting('bench.deployments')::bigint / 4 AS versions, current_setting('bench.now')::timestamptz AS now) AS n
CROSS JOIN LATERAL generate_series(1, n.versions) AS k
CROSS JOIN LATERAL (SELECT n.now - interval '1 hour' - interval '175 days' * (1 - k::double precision / n.versions) AS at) AS t
JOIN bench_accounts AS a ON a.number = CASE WHEN k % 3 = 0 THEN 1 WHEN k % least(1498, n.versions / 75) = 1 THEN 2 ELSE 3 + k % 998 END;
ANALYZE bench_versions;

-- step 2
INSERT INTO versions (account_id, id, product_id, version, semver_key, scm_sha, latest_build_id, occurred_at, first_completed_at, dev_completed_at, created_at)
SELECT account_id, id, product_id, '0.' || k / 1000 || '.' || k % 1000,
  '010' || to_char(length((k / 1000)::text), 'FM00') || k / 1000 || to_char(length((k % 1000)::text), 'FM00') || k % 1000 || '~', scm_sha, id, at, at, at, at
FROM bench_versions;

INSERT INTO builds (account_id, id, product_id, version_id, status, seen_statuses, invoke_id, attempt, source_system, build_number, scm_sha, scm_branch, scm_repository,
  build_url, built_by, occurred_at, completed_at, last_event_at, superseded, overtaken, extra_metadata, created_at)
SELECT account_id, id, product_id, id, s.status, ARRAY[s.status], 'build-' || k, 1, 'github', k::text, scm_sha, 'main', 'acme/shop',
  'https://github.com/acme/shop/actions/runs/' || k, 'ada', at, at, at, false, false, '{"vi_gh_workflow": "build", "vi_gh_run_attempt": "1"}', at
FROM bench_versions
CROSS JOIN LATERAL (SELECT CASE WHEN k <= 2000 AND k % 31 = 1 THEN 'aborted' WHEN NOT never_fails AND k % 23 = 1 THEN 'failed' ELSE 'completed' END AS status) AS s;

INSERT INTO events (account_id, id, received_at, api_key_id, status, effect, build_id, body)
SELECT account_id, id, at, api_key_id, 'completed', 'created', id,
  json_build_object('product_name', 'checkout', 'version', k, 'scm_sha', scm_sha, 'extra_metadata', repeat(scm_sha, 8))
FROM bench_versions;

INSERT INTO audit_log (account_id, id, occurred_at, actor_type, actor_id, actor_name, credential, action, object_type, object_id, object_name, fields, changed_values)
SELECT account_id, id, at, 'user', md5('actor' || CASE WHEN k <= 600 THEN -1 ELSE k % 7 END)::uuid, 'Ada Lovelace', 'session',
  CASE WHEN k <= 600 THEN 'product.deleted' WHEN k % 2 = 0 THEN 'release.updated' ELSE 'product.updated' END, 'product', CASE WHEN k <= 600 THEN md5('object')::uuid ELSE product_id END,
  'checkout', '{description}', '[{"field": "description", "before": "a", "after": "b", "truncated": false}]'
FROM bench_versions WHERE k % 5 < 2 OR k <= 600;

INSERT INTO notification_deliveries (account_id, id, channel_id, event_type, event_id, payload, status, generation, attempts_in_generation, total_attempts,
  response_status, created_at, last_attempt_at, finished_at)
SELECT account_id, id, channels[CASE WHEN k <= 600 THEN 2 ELSE 1 END],
  CASE WHEN k <= 600 THEN 'build.aborted' WHEN k % 7 = 0 THEN 'deployment.failed' ELSE 'deployment.completed' END,
  id, json_build_object('product_name', 'checkout', 'version', k, 'extra', repeat(scm_sha, 6)),
  CASE WHEN k <= 600 THEN 'cancelled' WHEN k % 31 = 0 THEN 'failed' ELSE 'delivered' END, 1, 1, 1, 200, at, at, at
FROM bench_versions WHERE k % 5 < 2 OR k <= 600;

-- One deployment request for each version, to production, of which the last ones go on.
INSERT INTO deployment_requests (account_id, id, name, description, status, gate, created_by, created_by_name, created_at, activated_by, activated_by_name,
  activated_at, completed_at, cancelled_at, updated_at)
SELECT account_id, id, 'Release ' || k, '', s.status, false, md5('actor')::uuid, 'Ada Lovelace', at, md5('actor')::uuid, 'Ada Lovelace', at,
  CASE WHEN s.status = 'completed' THEN at END, CASE WHEN s.status = 'cancelled' THEN at END, at
FROM bench_versions
CROSS JOIN LATERAL (SELECT CASE WHEN k > current_setting('bench.deployments')::bigint / 4 - 300 THEN 'in_progress' WHEN k <= 600 THEN 'cancelled' ELSE 'completed' END AS status) AS s;

INSERT INTO deployment_request_versions (account_id, request_id, product_id, version_id, is_open)
SELECT v.account_id, v.id, v.product_id, v.id, r.status = 'in_progress' FROM bench_versions AS v JOIN deployment_requests AS r ON r.account_id = v.account_id AND r.id = v.id;

INSERT INTO deployment_request_environments (account_id, request_id, environment_id, requested_at)
SELECT account_id, id, environments[4], at FROM bench_versions;

INSERT INTO deployment_request_approvals (account_id, id, request_id, approval_type, required, created_at)
SELECT account_id, id, id, 'qa', true, at FROM bench_versions;

-- step 2 in parts: the deployments of each version: to dev, qa, staging and production, and a few old ones to archive, and their events. One in twenty has
-- failed, of one product none; few have been aborted, long ago; those that have not ended are of the last versions, and some old ones.
INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, invoke_id, attempt, source_system, build_number,
  scm_sha, scm_branch, scm_repository, deploy_url, deployed_by, deployed_by_email, deployed_by_name, occurred_at, started_at, completed_at, last_event_at,
  superseded, overtaken, extra_metadata, created_at)
SELECT account_id, bench_id(d.at, d.n), product_id, v.id, environments[e], d.status, ARRAY[d.status], d.n::text, 1, 'github', k::text,
  scm_sha, 'main', 'acme/shop', 'https://github.com/acme/shop/actions/runs/' || d.n, 'ada', 'ada@example.com', 'Ada Lovelace', d.at,
  CASE WHEN d.status = 'started' THEN d.at END, CASE WHEN d.status <> 'started' THEN d.at END, d.at, d.status = 'started' AND k <= 2000, d.status = 'started' AND k <= 2000,
  '{"vi_gh_workflow": "deploy", "vi_gh_run_attempt": "1", "vi_gh_actor": "ada", "vi_gh_ref": "refs/heads/main"}', d.at
FROM (SELECT current_setting('bench.deployments')::bigint AS deployments) AS s
CROSS JOIN bench_versions AS v
CROSS JOIN LATERAL generate_series(1, CASE WHEN k % 10 = 0 AND k <= greatest(s.deployments / 400, 2000) THEN 5 ELSE 4 END) AS e
CROSS JOIN LATERAL (SELECT at + e * interval '1 second' AS at, k * 8 + e AS n,
  CASE WHEN e = 5 THEN 'completed'
    WHEN k <= 2000 AND (k * 5 + e) % 97 = 0 AND NOT never_fails THEN 'aborted'
    WHEN k BETWEEN 1000 AND 1100 AND e = 1 OR k > s.deployments / 4 - 300 AND (k * 5 + e) % 7 = 0 THEN 'started'
    WHEN NOT never_fails AND (k * 5 + e) % 19 = 0 THEN 'failed'
    ELSE 'completed' END AS status) AS d
WHERE k % 8 = current_setting('bench.part')::integer;

INSERT INTO events (account_id, id, received_at, api_key_id, status, effect, deployment_id, body)
SELECT d.account_id, d.id, d.occurred_at, a.api_key_id, d.status, 'created', d.id,
  json_build_object('product_name', 'checkout', 'version', d.build_number, 'status', d.status, 'scm_sha', d.scm_sha, 'extra_metadata', repeat(d.scm_sha, 17))
FROM deployments AS d
JOIN bench_accounts AS a ON a.account_id = d.account_id
WHERE d.deploy_url LIKE 'https://github.com/acme/shop/%' AND d.build_number::bigint % 8 = current_setting('bench.part')::integer;

-- step 3: the fingerprints of the last day: a server deletes older ones
INSERT INTO event_fingerprints (account_id, fingerprint, event_id, subject_id, received_at)
SELECT account_id, sha256(uuid_send(id)), id, id, occurred_at
FROM deployments WHERE deploy_url LIKE 'https://github.com/acme/shop/%' AND occurred_at > now() - interval '1 day';

-- step 3: the indexes
SET max_parallel_maintenance_workers = 4;
DO $$
DECLARE definition text;
BEGIN
  FOR definition IN SELECT i.definition FROM bench_indexes AS i LOOP EXECUTE definition; END LOOP;
END $$;

-- step 4: what is read from the rows above
INSERT INTO environment_state (account_id, product_id, environment_id, current_deployment_id, current_since, latest_deployment_id, open_deployment_ids)
SELECT a.account_id, p.id, e.id, c.id, c.occurred_at, l.id, '{}'
FROM bench_accounts AS a
CROSS JOIN LATERAL unnest(a.products) AS p (id)
CROSS JOIN LATERAL unnest(a.environments) AS e (id)
CROSS JOIN LATERAL (SELECT d.id FROM deployments AS d WHERE d.product_id = p.id AND d.environment_id = e.id ORDER BY d.occurred_at DESC, d.id DESC LIMIT 1) AS l
LEFT JOIN LATERAL (SELECT d.id, d.occurred_at FROM deployments AS d WHERE d.product_id = p.id AND d.environment_id = e.id AND d.status = 'completed'
  ORDER BY d.occurred_at DESC, d.id DESC LIMIT 1) AS c ON true
ON CONFLICT (account_id, product_id, environment_id) DO NOTHING;

UPDATE environment_state AS s SET open_deployment_ids = o.ids
FROM (SELECT account_id, product_id, environment_id, array_agg(id ORDER BY occurred_at) AS ids FROM deployments WHERE status = 'started' GROUP BY 1, 2, 3) AS o
WHERE s.account_id = o.account_id AND s.product_id = o.product_id AND s.environment_id = o.environment_id;

INSERT INTO releases (account_id, id, name, status, created_at, updated_at)
SELECT a.account_id, bench_id(t.at, r), 'release ' || r, CASE WHEN r <= 6 THEN 'draft' WHEN r <= n.releases - 20 THEN 'completed' ELSE 'in_progress' END, t.at, t.at
FROM (SELECT greatest(200, current_setting('bench.deployments')::bigint / 1000) AS releases) AS n
CROSS JOIN LATERAL generate_series(1, n.releases) AS r
JOIN bench_accounts AS a ON a.number = CASE WHEN r % 3 = 0 THEN 1 WHEN r % 3 = 1 AND r <= 180 THEN 2 ELSE 3 + r % 998 END
CROSS JOIN LATERAL (SELECT current_setting('bench.now')::timestamptz - interval '1 hour' - interval '175 days' * (1 - r::double precision / n.releases) AS at) AS t;

INSERT INTO release_versions (account_id, release_id, product_id, version_id)
SELECT r.account_id, r.id, p.id, v.id
FROM releases AS r
JOIN bench_accounts AS a ON a.account_id = r.account_id
CROSS JOIN LATERAL unnest(a.products) AS p (id)
CROSS JOIN LATERAL (SELECT v.id FROM versions AS v WHERE v.product_id = p.id AND v.created_at <= r.created_at ORDER BY v.created_at DESC, v.id DESC LIMIT 1) AS v;

-- step 5
DROP FUNCTION bench_id;
DROP TABLE bench_versions, bench_accounts, bench_indexes;
