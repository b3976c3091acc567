-- Fills the account bench.account with bench.rows deployments, their events and fingerprints, as the months before would have: over
-- its products, environments and versions of their own, 25 deployments each.
INSERT INTO versions (account_id, id, product_id, version, semver_key, occurred_at, first_completed_at, created_at)
SELECT p.account_id, gen_random_uuid(), p.id, 'filled-' || n, NULL, at, at, at
FROM products AS p
JOIN accounts AS a ON a.id = p.account_id AND a.slug = current_setting('bench.account')
CROSS JOIN generate_series(1, greatest(1, current_setting('bench.rows')::int / (25 * (SELECT count(*) FROM products AS o WHERE o.account_id = a.id)::int))) AS n
CROSS JOIN LATERAL (SELECT now() - make_interval(mins => n) AS at) AS t;

INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, invoke_id, attempt, source_system, build_number,
  scm_sha, scm_branch, scm_repository, deploy_url, deployed_by, deployed_by_email, deployed_by_name, occurred_at, completed_at, last_event_at,
  superseded, overtaken, extra_metadata, created_at)
SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, e.id, 'completed', '{completed}', 'filled-' || n, 1, 'github', n::text,
  md5(v.id::text), 'main', 'acme/shop', 'https://github.com/acme/shop/actions/runs/' || n, 'ada', 'ada@example.com', 'Ada Lovelace',
  v.created_at, v.created_at, v.created_at, false, false,
  '{"vi_gh_workflow": "deploy", "vi_gh_run_attempt": "1", "vi_gh_actor": "ada", "vi_gh_ref": "refs/heads/main"}', v.created_at
FROM versions AS v
JOIN accounts AS a ON a.id = v.account_id AND a.slug = current_setting('bench.account')
CROSS JOIN generate_series(1, 25) AS n
CROSS JOIN LATERAL (SELECT id FROM environments AS o WHERE o.account_id = v.account_id ORDER BY id OFFSET n % 4 LIMIT 1) AS e
WHERE v.version LIKE 'filled-%';

INSERT INTO events (account_id, id, received_at, api_key_id, status, effect, deployment_id, body)
SELECT d.account_id, gen_random_uuid(), d.created_at, k.id, 'completed', 'created', d.id, json_build_object('filled', repeat('x', 800))
FROM deployments AS d
JOIN accounts AS a ON a.id = d.account_id AND a.slug = current_setting('bench.account')
CROSS JOIN LATERAL (SELECT id FROM api_keys AS o WHERE o.account_id = d.account_id LIMIT 1) AS k
WHERE d.invoke_id LIKE 'filled-%';

INSERT INTO event_fingerprints (account_id, fingerprint, event_id, subject_id, received_at)
SELECT e.account_id, sha256(uuid_send(e.id)), e.id, e.deployment_id, e.received_at
FROM events AS e
JOIN accounts AS a ON a.id = e.account_id AND a.slug = current_setting('bench.account')
WHERE e.body ->> 'filled' IS NOT NULL;
