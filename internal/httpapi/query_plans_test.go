package httpapi_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/testdb"
)

// manyDeployments fills three accounts: 10,000 deployments in the middle one, and lists of many sizes. With fewer rows, the planner
// reads a whole table although it has the index.
const manyDeployments = `
INSERT INTO accounts (id, slug, created_at) SELECT gen_random_uuid(), slug, now() FROM unnest('{small, large, other}'::text[]) slug;
INSERT INTO users (account_id, id, subject, name, email, claimed_role, created_at, last_seen_at)
  SELECT a.id, gen_random_uuid(), n::text, 'user ' || n, '', 'viewer', now() - make_interval(secs => n), now() FROM accounts a, generate_series(1, 200) n;
INSERT INTO api_keys (account_id, id, key_id, name, token_hmac, created_at)
  SELECT a.id, gen_random_uuid(), 'k' || n, 'key', sha256((a.slug || n)::bytea), now() - make_interval(secs => n) FROM accounts a, generate_series(1, 200) n;
INSERT INTO products (account_id, id, name, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'product ' || n, now() - make_interval(secs => n), now() FROM accounts a, generate_series(1, 200) n;
INSERT INTO product_names (account_id, name, product_id) SELECT account_id, name, id FROM products;
INSERT INTO environments (account_id, id, name, type, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'env ' || n, (ARRAY['dev', 'test', 'staging', 'production', 'other'])[1 + n % 5], now() - make_interval(secs => n), now()
  FROM accounts a, generate_series(1, 200) n;
INSERT INTO environment_names (account_id, name, environment_id) SELECT account_id, name, id FROM environments;
INSERT INTO versions (account_id, id, product_id, version, semver_key, scm_sha, occurred_at, first_completed_at, created_at)
  SELECT p.account_id, gen_random_uuid(), p.id, '1.' || n, NULL, md5(p.id::text || n), at, at, at
  FROM products p, generate_series(1, 5) n CROSS JOIN LATERAL (SELECT now() - make_interval(secs => n * 7 + ascii(p.name)) AS at) t;
INSERT INTO builds (account_id, id, product_id, version_id, status, seen_statuses, scm_sha, occurred_at, last_event_at, superseded, overtaken, extra_metadata, created_at)
  SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, (ARRAY['completed', 'failed', 'started'])[1 + n % 3], '{}', v.scm_sha, at, at, false, false, '{}', at
  FROM (SELECT *, row_number() OVER () AS number FROM versions) v, generate_series(1, 3) n
  CROSS JOIN LATERAL (SELECT now() - make_interval(secs => v.number * 11 + n) AS at) t;
UPDATE versions v SET latest_build_id = (SELECT b.id FROM builds b WHERE b.version_id = v.id ORDER BY b.id DESC LIMIT 1);
INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, scm_sha, occurred_at, last_event_at, superseded, overtaken,
    extra_metadata, created_at)
  SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, e.id, (ARRAY['completed', 'failed', 'started'])[1 + e.n % 3], '{}', v.scm_sha, at, at, false, false, '{}', at
  FROM (SELECT *, row_number() OVER () AS n FROM versions) v
  JOIN (SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY name) AS n FROM environments) e
    ON e.account_id = v.account_id AND e.n <= 10
  CROSS JOIN LATERAL (SELECT now() - make_interval(secs => v.n * 11 + e.n) AS at) t
  WHERE v.account_id = (SELECT id FROM accounts WHERE slug = 'large') OR v.n % 50 = 0;
INSERT INTO environment_state (account_id, product_id, environment_id, current_deployment_id, current_since, latest_deployment_id)
  SELECT DISTINCT ON (account_id, product_id, environment_id) account_id, product_id, environment_id, id, occurred_at, id
  FROM deployments ORDER BY 1, 2, 3, occurred_at DESC;
INSERT INTO events (account_id, id, received_at, api_key_id, status, effect, deployment_id, body)
  SELECT d.account_id, gen_random_uuid(), d.occurred_at, (SELECT k.id FROM api_keys k WHERE k.account_id = d.account_id LIMIT 1), 'started', 'created', d.id, '{}'
  FROM deployments d;
INSERT INTO events (account_id, id, received_at, api_key_id, status, effect, build_id, body)
  SELECT b.account_id, gen_random_uuid(), b.occurred_at, (SELECT k.id FROM api_keys k WHERE k.account_id = b.account_id LIMIT 1), 'started', 'created', b.id, '{}'
  FROM builds b;
INSERT INTO events (account_id, id, received_at, api_key_id, status, effect, deployment_id, body)
  SELECT e.account_id, gen_random_uuid(), e.received_at + make_interval(secs => n), e.api_key_id, 'started', 'out_of_order', e.deployment_id, '{}'
  FROM (SELECT * FROM events WHERE deployment_id IS NOT NULL AND account_id = (SELECT id FROM accounts WHERE slug = 'large') ORDER BY received_at LIMIT 1) e, generate_series(1, 500) n;
INSERT INTO releases (account_id, id, name, status, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'release ' || n, 'draft', now() - make_interval(secs => n), now() FROM accounts a, generate_series(1, 200) n;
INSERT INTO release_versions (account_id, release_id, product_id, version_id)
  SELECT r.account_id, r.id, v.product_id, v.id
  FROM (SELECT *, split_part(name, ' ', 2)::integer AS n FROM releases) r JOIN versions v ON v.account_id = r.account_id AND v.version = '1.' || 1 + r.n % 5
  WHERE r.n <= 40 AND r.account_id = (SELECT id FROM accounts WHERE slug = 'large');
INSERT INTO deployment_rules (account_id, id, name, rule_type, mode, priority, rollback, scope, config, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'rule ' || n, 'schedule', 'enabled', 100, 'allow', '{}', '{}', now() - make_interval(secs => n), now() FROM accounts a, generate_series(1, 200) n;
INSERT INTO rule_violations (account_id, id, occurred_at, rule_id, rule_name, rule_type, action, code, message, certain, details, deployment_id, product_id, environment_id, version_id)
  SELECT d.account_id, gen_random_uuid(), d.occurred_at, r.id, r.name, r.rule_type, 'blocked', 'NO_DEPLOY_WINDOW', '', true, '{}', d.id, d.product_id, d.environment_id, d.version_id
  FROM deployments d JOIN (SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY name) AS n FROM deployment_rules) r ON r.account_id = d.account_id AND r.n <= 2;
INSERT INTO version_approvals (account_id, id, version_id, approval_type, decision, approver_role, given_by_name, created_at)
  SELECT v.account_id, gen_random_uuid(), v.id, 'qa', 'approved', 'qa', '', now() - make_interval(secs => n) FROM versions v, generate_series(1, 4) n;
INSERT INTO break_glass_grants (account_id, id, product_id, environment_id, version, reason, minutes, rule_types, status, created_by_name, created_at, updated_at)
  SELECT d.account_id, gen_random_uuid(), d.product_id, d.environment_id, '1', '', 30, '{}', 'used', '', d.occurred_at, now() FROM deployments d;
INSERT INTO deployment_requests (account_id, id, name, description, status, gate, created_by, created_by_name, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'request ' || n, '', 'draft', true, gen_random_uuid(), '', now() - make_interval(secs => n), now() FROM accounts a, generate_series(1, 200) n;
INSERT INTO deployment_request_versions (account_id, request_id, product_id, version_id)
  SELECT r.account_id, r.id, v.product_id, v.id
  FROM (SELECT *, split_part(name, ' ', 2)::integer AS n FROM deployment_requests) r JOIN versions v ON v.account_id = r.account_id AND v.version = '1.' || 1 + r.n % 5
  WHERE r.n <= 40 AND r.account_id = (SELECT id FROM accounts WHERE slug = 'large');
INSERT INTO deployment_request_environments (account_id, request_id, environment_id, requested_at)
  SELECT r.account_id, r.id, e.id, r.created_at
  FROM (SELECT *, split_part(name, ' ', 2)::integer AS n FROM deployment_requests) r
  JOIN (SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY name) AS n FROM environments) e
    ON e.account_id = r.account_id AND (e.n % 20 = r.n % 20 OR e.name = 'env 7');
INSERT INTO deployment_request_approvals (account_id, id, request_id, approval_type, required, created_at)
  SELECT r.account_id, gen_random_uuid(), r.id, t, true, now() FROM deployment_requests r, unnest('{uat, qa, security}'::text[]) t;
INSERT INTO deployment_request_steps (account_id, id, request_id, phase, title, description, position, created_at)
  SELECT r.account_id, gen_random_uuid(), r.id, 'pre', '', '', n, now() FROM deployment_requests r, generate_series(1, 5) n;
INSERT INTO deployment_request_comments (account_id, id, request_id, body, created_by, created_by_name, created_at)
  SELECT r.account_id, gen_random_uuid(), r.id, '', r.created_by, '', now() - make_interval(secs => n) FROM deployment_requests r, generate_series(1, CASE WHEN r.name = 'request 1' THEN 3000 ELSE 3 END) n;
INSERT INTO deployment_request_activity (account_id, id, request_id, occurred_at, action, status, activation)
  SELECT r.account_id, gen_random_uuid(), r.id, now() - make_interval(secs => n), 'comment', 'draft', 1 FROM deployment_requests r, generate_series(1, CASE WHEN r.name = 'request 1' THEN 3000 ELSE 3 END) n;
INSERT INTO deployment_request_templates (account_id, id, name, description, environment_ids, approvals, steps, gate, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'template ' || n, '', '{}', '[]', '[]', true, now() - make_interval(secs => n), now() FROM accounts a, generate_series(1, 200) n;
INSERT INTO calendar_feeds (account_id, id, name, token_hmac, created_by, created_by_name, created_at, revoked_at)
  SELECT u.account_id, gen_random_uuid(), '', sha256((u.id::text || n)::bytea), u.id, '', now() - make_interval(secs => n), CASE WHEN n % 2 = 0 THEN now() END
  FROM users u, generate_series(1, 20) n;
INSERT INTO variables (account_id, id, product_id, key, value, created_at, updated_at)
  SELECT p.account_id, gen_random_uuid(), p.id, 'k' || n, '', now() - make_interval(secs => n), now() FROM products p, generate_series(1, 4) n;
INSERT INTO deployment_templates (account_id, id, product_id, name, url_template, enabled, created_at, updated_at)
  SELECT p.account_id, gen_random_uuid(), p.id, '', '', true, now() - make_interval(secs => n), now() FROM products p, generate_series(1, 20) n;
INSERT INTO deployment_templates_environments (account_id, product_id, environment_id, template_id)
  SELECT t.account_id, t.product_id, e.id, t.id
  FROM (SELECT *, row_number() OVER (PARTITION BY product_id ORDER BY created_at) AS n FROM deployment_templates) t
  JOIN (SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY name) AS n FROM environments) e ON e.account_id = t.account_id AND e.n = t.n;
INSERT INTO user_sessions (account_id, id, user_id, token_hmac, issuer, provider_sid, user_agent, remote_ip, created_at, last_used_at, refresh_at, idle_expires_at, expires_at)
  SELECT u.account_id, gen_random_uuid(), u.id, sha256((u.id::text || n)::bytea), '', '', '', '', now() - make_interval(secs => n), now(), now(), now() + interval '1 hour',
    now() + interval '1 day'
  FROM users u, generate_series(1, CASE WHEN u.subject = '1' THEN 200 ELSE 20 END) n;
INSERT INTO audit_log (account_id, id, occurred_at, actor_type, actor_name, credential, action, object_type, object_id, fields)
  SELECT a.id, gen_random_uuid(), now() - make_interval(secs => n), 'command', 'x', 'x', 'product.update', 'product', gen_random_uuid(), '{}'
  FROM accounts a, generate_series(1, 400) n;
INSERT INTO notification_channels (account_id, id, name, channel_type, encrypted_config, enabled, created_at, updated_at)
  SELECT a.id, gen_random_uuid(), 'channel ' || n, 'webhook', '', true, now() - make_interval(secs => n), now() FROM accounts a, generate_series(1, 200) n;
INSERT INTO notification_preferences (account_id, id, channel_id, event_type, environments, products, statuses, created_at, updated_at)
  SELECT account_id, gen_random_uuid(), id, 'build.failed', '{}', '{}', '{}', now() - make_interval(secs => n), now() FROM notification_channels, generate_series(1, 4) n;
INSERT INTO notification_deliveries (account_id, id, channel_id, event_type, payload, status, generation, attempts_in_generation, total_attempts, created_at)
  SELECT c.account_id, gen_random_uuid(), c.id, (ARRAY['build.failed', 'deployment.completed', 'deployment.failed'])[1 + n % 3], '{}',
    (ARRAY['delivered', 'failed'])[1 + n % 2], 1, 1, 1, now() - make_interval(secs => n * 11)
  FROM notification_channels c, generate_series(1, 30) n;
ANALYZE`

// fewRows adds, to the oldest rows of each account, a few that have what no other row has: statuses, a version and its name, an actor, an action, an
// object and a type of event.
const fewRows = `
INSERT INTO versions (account_id, id, product_id, version, created_at)
  SELECT DISTINCT ON (account_id) account_id, gen_random_uuid(), id, 'rare-1', now() - interval '1 year' FROM products ORDER BY account_id, name;
INSERT INTO builds (account_id, id, product_id, version_id, status, seen_statuses, occurred_at, last_event_at, superseded, overtaken, extra_metadata, created_at)
  SELECT account_id, gen_random_uuid(), product_id, id, 'aborted', '{}', created_at, created_at, false, false, '{}', created_at FROM versions WHERE version = 'rare-1';
INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, occurred_at, last_event_at, superseded, overtaken, extra_metadata, created_at)
  SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, (SELECT e.id FROM environments e WHERE e.account_id = v.account_id AND e.name = 'env 1'), s, '{}', at, at, false, false, '{}', at
  FROM (SELECT * FROM versions WHERE version = 'rare-1') v CROSS JOIN unnest('{aborted, pending}'::text[]) s CROSS JOIN LATERAL (SELECT v.created_at AS at) t;
UPDATE environment_state s SET open_deployment_ids = ARRAY[d.id] FROM deployments d
  WHERE d.account_id = s.account_id AND d.product_id = s.product_id AND d.environment_id = s.environment_id AND d.status = 'pending';
INSERT INTO releases (account_id, id, name, status, created_at, updated_at) SELECT id, gen_random_uuid(), 'rare', 'cancelled', now() - interval '1 year', now() FROM accounts;
INSERT INTO deployment_requests (account_id, id, name, description, status, gate, created_by, created_by_name, created_at, updated_at)
  SELECT id, gen_random_uuid(), 'rare', '', 'cancelled', true, gen_random_uuid(), '', now() - interval '1 year', now() FROM accounts;
INSERT INTO audit_log (account_id, id, occurred_at, actor_type, actor_id, actor_name, credential, action, object_type, object_id, fields)
  SELECT id, gen_random_uuid(), now() - interval '1 year', 'user', md5('rare')::uuid, 'x', 'x', 'product.delete', 'product', md5('rare')::uuid, '{}' FROM accounts;
INSERT INTO notification_deliveries (account_id, id, channel_id, event_type, payload, status, generation, attempts_in_generation, total_attempts, created_at)
  SELECT DISTINCT ON (account_id) account_id, gen_random_uuid(), id, 'build.aborted', '{}', 'cancelled', 1, 1, 1, now() - interval '1 year' FROM notification_channels ORDER BY account_id;
ANALYZE`

// rareDeployments adds three deployments of another product to an environment of their own, before, amid and after all others, and returns the second one.
const rareDeployments = `
WITH added AS (
  INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, occurred_at, last_event_at, superseded, overtaken, extra_metadata, created_at)
  SELECT d.account_id, gen_random_uuid(), d.product_id, d.version_id, e.id, 'completed', '{}', at, at, false, false, '{}', at
  FROM (SELECT * FROM deployments WHERE account_id = (SELECT account_id FROM products WHERE id = $1) AND product_id <> $1 LIMIT 1) d
  JOIN LATERAL (SELECT id FROM environments e WHERE e.account_id = d.account_id
    AND NOT EXISTS (SELECT FROM deployments x WHERE x.account_id = e.account_id AND x.environment_id = e.id) LIMIT 1) e ON true
  CROSS JOIN (SELECT min(occurred_at) - interval '1 s' AS at FROM deployments UNION ALL SELECT min(occurred_at) + (max(occurred_at) - min(occurred_at)) / 2 FROM deployments
    UNION ALL SELECT max(occurred_at) + interval '1 s' FROM deployments) t
  RETURNING id, occurred_at)
SELECT id FROM added ORDER BY occurred_at OFFSET 1 LIMIT 1`

// planner runs queries, and keeps the plan of the last one.
type planner struct {
	*pgx.Conn

	t    *testing.T
	plan planNode
}

// planNode is one step in the output of EXPLAIN.
type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Rows     float64    `json:"Actual Rows"`
	Loops    float64    `json:"Actual Loops"`
	Removed  float64    `json:"Rows Removed by Filter"`
	Plans    []planNode `json:"Plans"`
}

// Query explains a list with the settings of lists, and runs it.
func (p *planner) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	_, err := p.Exec(ctx, "SET plan_cache_mode = 'force_custom_plan'; SET enable_bitmapscan = 'off'")
	require.NoError(p.t, err)
	p.explain(ctx, sql, args...)
	_, err = p.Exec(ctx, "RESET plan_cache_mode; RESET enable_bitmapscan")
	require.NoError(p.t, err)
	return p.Conn.Query(ctx, sql, args...)
}

func (p *planner) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	p.explain(ctx, sql, args...)
	return p.Conn.QueryRow(ctx, sql, args...)
}

func (p *planner) explain(ctx context.Context, sql string, args ...any) {
	var text []byte
	require.NotContains(p.t, sql, "OFFSET")
	require.NoError(p.t, p.Conn.QueryRow(ctx, "EXPLAIN (ANALYZE, FORMAT JSON) "+sql, args...).Scan(&text))
	var plans []struct {
		Plan planNode `json:"Plan"`
	}
	require.NoError(p.t, json.Unmarshal(text, &plans))
	p.plan = plans[0].Plan
}

// walk visits every step.
func (n planNode) walk(visit func(planNode)) {
	visit(n)
	for _, child := range n.Plans {
		child.walk(visit)
	}
}

// isOf reports whether the step reads a table, or one of its partitions.
func (n planNode) isOf(table string) bool {
	return n.Relation == table || strings.HasPrefix(n.Relation, table+"_")
}

// read returns the number of rows of a table that the plan looks at.
func (n planNode) read(table string) float64 {
	rows := 0.0
	n.walk(func(node planNode) {
		if node.isOf(table) {
			rows += (node.Rows + node.Removed) * node.Loops
		}
	})
	return rows
}

// TestListsReadFromAnIndex reads a first and a later page of every list of the specification at 10,000 deployments: the table of the list
// is read by an index, and only the rows of the page and one more, which shows whether there is a next page.
func TestListsReadFromAnIndex(t *testing.T) {
	t.Parallel()
	const page = 51
	conn, err := pgx.Connect(t.Context(), testdb.New(t))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.Exec(t.Context(), manyDeployments)
	require.NoError(t, err)
	var deployments int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM deployments").Scan(&deployments))
	require.GreaterOrEqual(t, deployments, 10_000)
	var account, product, environment, version uuid.UUID
	var at time.Time
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT account_id, product_id, environment_id, version_id, occurred_at FROM deployments
		WHERE account_id = (SELECT id FROM accounts WHERE slug = 'large') ORDER BY occurred_at OFFSET 5000 LIMIT 1`).Scan(&account, &product, &environment, &version, &at))
	completed, failedBuild, failed := "completed", "build.failed", "failed"
	var rule uuid.UUID
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT rule_id FROM rule_violations WHERE account_id = $1 LIMIT 1", account).Scan(&rule))
	var commit string // an abbreviation that several commits begin with
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT left(scm_sha, 4) FROM versions WHERE id = $1", version).Scan(&commit))
	var channel uuid.UUID
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT id FROM notification_channels WHERE account_id = $1 LIMIT 1", account).Scan(&channel))
	var busy, build uuid.UUID // with 500 events, and with one
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT deployment_id FROM events WHERE effect = 'out_of_order' LIMIT 1").Scan(&busy))
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT id FROM builds WHERE account_id = $1 LIMIT 1", account).Scan(&build))
	var middle uuid.UUID // with other deployments of its pair before and after it
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT id FROM deployments WHERE product_id = $1 AND environment_id = $2 AND occurred_at = $3", product, environment, at).Scan(&middle))
	var rare uuid.UUID // between the first and the last deployment of its pair
	require.NoError(t, conn.QueryRow(t.Context(), rareDeployments, product).Scan(&rare))
	_, err = conn.Exec(t.Context(), fewRows)
	require.NoError(t, err)
	var rareProduct, rareEnvironment uuid.UUID
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT product_id, environment_id FROM deployments WHERE account_id = $1 AND status = 'aborted'", account).Scan(&rareProduct, &rareEnvironment))
	var release, user uuid.UUID // with 200 versions, and with 200 sessions
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT id FROM releases WHERE account_id = $1 AND name = 'release 1'", account).Scan(&release))
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT id FROM users WHERE account_id = $1 AND subject = '1'", account).Scan(&user))
	var request uuid.UUID // with 3,000 comments
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT id FROM deployment_requests WHERE account_id = $1 AND name = 'request 1'", account).Scan(&request))
	var frequentEnvironment uuid.UUID // which all requests name
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT id FROM environments WHERE account_id = $1 AND name = 'env 7'", account).Scan(&frequentEnvironment))
	require.NotEqual(t, environment, frequentEnvironment)
	since := at.Add(-time.Hour)
	anHourAgo, fiveMinutesAgo := time.Now().Add(-time.Hour), time.Now().Add(-5*time.Minute)

	// As requests do: under row-level security.
	_, err = conn.Exec(t.Context(), "SET ROLE versioner_app; SET app.account_ids = '{"+account.String()+"}'")
	require.NoError(t, err)
	plans := &planner{Conn: conn, t: t}
	db := dbgen.New(plans)
	const few = 5 // rows that are read where one or two match
	rareBuild, rareDelivery, rareAction, rareType, rareRelease, rareVersion := "aborted", "cancelled", "product.delete", "build.aborted", "cancelled", "rare-1"
	var rareID uuid.UUID
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT md5('rare')::uuid").Scan(&rareID))
	type list struct {
		table string // that the list is of
		most  float64
		run   func(at *time.Time, id *uuid.UUID) error
	}
	deploymentsWhere := func(set func(*dbgen.ListDeploymentsParams)) func(*time.Time, *uuid.UUID) error {
		return func(at *time.Time, id *uuid.UUID) error {
			params := dbgen.ListDeploymentsParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page}
			set(&params)
			_, err := db.ListDeployments(t.Context(), params)
			return err
		}
	}
	buildsWhere := func(set func(*dbgen.ListBuildsParams)) func(*time.Time, *uuid.UUID) error {
		return func(at *time.Time, id *uuid.UUID) error {
			params := dbgen.ListBuildsParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page}
			set(&params)
			_, err := db.ListBuilds(t.Context(), params)
			return err
		}
	}
	versionsWhere := func(set func(*dbgen.ListVersionsParams)) func(*time.Time, *uuid.UUID) error {
		return func(at *time.Time, id *uuid.UUID) error {
			params := dbgen.ListVersionsParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page}
			set(&params)
			_, err := db.ListVersions(t.Context(), params)
			return err
		}
	}
	historyWhere := func(set func(*dbgen.ListNotificationHistoryParams)) func(*time.Time, *uuid.UUID) error {
		return func(at *time.Time, id *uuid.UUID) error {
			params := dbgen.ListNotificationHistoryParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page}
			set(&params)
			_, err := db.ListNotificationHistory(t.Context(), params)
			return err
		}
	}
	auditWhere := func(set func(*dbgen.ListAuditLogParams)) func(*time.Time, *uuid.UUID) error {
		return func(at *time.Time, id *uuid.UUID) error {
			params := dbgen.ListAuditLogParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page}
			set(&params)
			_, err := db.ListAuditLog(t.Context(), params)
			return err
		}
	}
	search := func(q string, product *uuid.UUID) func(*time.Time, *uuid.UUID) error {
		return func(_ *time.Time, id *uuid.UUID) error {
			params := dbgen.SearchVersionsParams{AccountID: account, Q: q, ProductID: product, RowLimit: page}
			if id != nil {
				params.AfterName, params.AfterID = new(q+"4"), id
			}
			_, err := db.SearchVersions(t.Context(), params)
			return err
		}
	}
	violationsWhere := func(set func(*dbgen.ListRuleViolationsParams)) func(*time.Time, *uuid.UUID) error {
		return func(at *time.Time, id *uuid.UUID) error {
			params := dbgen.ListRuleViolationsParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page}
			set(&params)
			_, err := db.ListRuleViolations(t.Context(), params)
			return err
		}
	}
	templatesWhere := func(set func(*dbgen.ListDeploymentTemplatesParams)) func(*time.Time, *uuid.UUID) error {
		return func(at *time.Time, id *uuid.UUID) error {
			params := dbgen.ListDeploymentTemplatesParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page}
			set(&params)
			_, err := db.ListDeploymentTemplates(t.Context(), params)
			return err
		}
	}
	requestsWhere := func(set func(*dbgen.ListDeploymentRequestsParams)) func(*time.Time, *uuid.UUID) error {
		return func(at *time.Time, id *uuid.UUID) error {
			params := dbgen.ListDeploymentRequestsParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page}
			set(&params)
			_, err := db.ListDeploymentRequests(t.Context(), params)
			return err
		}
	}
	preferencesWhere := func(channel *uuid.UUID) func(*time.Time, *uuid.UUID) error {
		return func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListNotificationPreferences(t.Context(), dbgen.ListNotificationPreferencesParams{
				AccountID: account, ChannelID: channel, AfterAt: at, AfterID: id, RowLimit: page,
			})
			return err
		}
	}
	entries := map[string]list{
		"listDeployments":              {"deployments", page, deploymentsWhere(func(*dbgen.ListDeploymentsParams) {})},
		"listDeployments of a product": {"deployments", page, deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.ProductID = &product })},
		// One in ten deployments is of the environment: the planner may as well walk back in time.
		"listDeployments of an environment": {"deployments", 15 * page, deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.EnvironmentID = &environment })},
		"listDeployments of a version":      {"deployments", page, deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.VersionID = &version })},
		"listDeployments of an age":         {"deployments", page, deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.Since, p.Until = &since, &at })},
		// A status is no index: one in three deployments has it, so that a page is found in a few.
		"listDeployments of a status": {"deployments", 10 * page, deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.Status = &completed })},
		// A commit is found by its own index, whatever its age: all of its deployments are sorted.
		"listDeployments of a commit": {"deployments", 2000, deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.Commit = &commit })},
		"listBuilds":                  {"builds", page, buildsWhere(func(*dbgen.ListBuildsParams) {})},
		"listBuilds of a product":     {"builds", page, buildsWhere(func(p *dbgen.ListBuildsParams) { p.ProductID = &product })},
		"listBuilds of a version":     {"builds", page, buildsWhere(func(p *dbgen.ListBuildsParams) { p.VersionID = &version })},
		"listBuilds of an age":        {"builds", page, buildsWhere(func(p *dbgen.ListBuildsParams) { p.Since, p.Until = &since, &at })},
		"listBuilds of a status":      {"builds", 10 * page, buildsWhere(func(p *dbgen.ListBuildsParams) { p.Status = &completed })},
		"listBuilds of a commit":      {"builds", 2000, buildsWhere(func(p *dbgen.ListBuildsParams) { p.Commit = &commit })},
		"listDeploymentEvents": {"events", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListDeploymentEvents(t.Context(), dbgen.ListDeploymentEventsParams{AccountID: account, DeploymentID: &busy, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listBuildEvents": {"events", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListBuildEvents(t.Context(), dbgen.ListBuildEventsParams{AccountID: account, BuildID: &build, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		// The deployment, and one on either side: each is found by the index of the pair.
		"getDeploymentNeighbours": {"deployments", 7, func(_ *time.Time, id *uuid.UUID) error {
			params := dbgen.GetDeploymentNeighboursParams{AccountID: account, ID: middle}
			if id != nil {
				params.ID = rare // the neighbours of a pair are far away from each other in time
			}
			_, err := db.GetDeploymentNeighbours(t.Context(), params)
			return err
		}},
		"listVersions":              {"versions", page, versionsWhere(func(*dbgen.ListVersionsParams) {})},
		"listVersions of a product": {"versions", page, versionsWhere(func(p *dbgen.ListVersionsParams) { p.ProductID = &product })},
		"listVersions of a commit":  {"versions", 2000, versionsWhere(func(p *dbgen.ListVersionsParams) { p.Commit = &commit })},
		"listProducts by name": {"products", page, func(_ *time.Time, id *uuid.UUID) error {
			params := dbgen.ListProductsByNameParams{AccountID: account, RowLimit: page}
			if id != nil {
				params.AfterName, params.AfterID = new("product 11"), id
			}
			_, err := db.ListProductsByName(t.Context(), params)
			return err
		}},
		"listVersions that begin with a text":                 {"versions", page, search("1.", nil)},
		"listVersions of a product that begin with a text":    {"versions", few, search("1.", &product)},
		"listVersions of which few begin with a text":         {"versions", few, search("rare", nil)},
		"listDeployments of a rare version's name":            {"deployments", few, deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.Version = &rareVersion })},
		"listDeployments of a rare status":                    {"deployments", few, deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.Status = &rareBuild })},
		"listDeployments of a product and a rare status":      {"deployments", few, deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.ProductID, p.Status = &rareProduct, &rareBuild })},
		"listDeployments of an environment and a rare status": {"deployments", few, deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.EnvironmentID, p.Status = &rareEnvironment, &rareBuild })},
		"listDeployments of an unfinished status": {"deployments", few, func(at *time.Time, id *uuid.UUID) error {
			unfinished, err := dbgen.New(conn).ListUnfinishedDeployments(t.Context(), dbgen.ListUnfinishedDeploymentsParams{AccountID: account})
			require.Len(t, unfinished, 1)
			require.NoError(t, err)
			return deploymentsWhere(func(p *dbgen.ListDeploymentsParams) { p.Status, p.Unfinished = new("pending"), unfinished[0] })(at, id)
		}},
		"listBuilds of a rare version's name":       {"builds", few, buildsWhere(func(p *dbgen.ListBuildsParams) { p.Version = &rareVersion })},
		"listBuilds of a rare status":               {"builds", few, buildsWhere(func(p *dbgen.ListBuildsParams) { p.Status = &rareBuild })},
		"listBuilds of a product and a rare status": {"builds", few, buildsWhere(func(p *dbgen.ListBuildsParams) { p.ProductID, p.Status = &rareProduct, &rareBuild })},
		"listAuditLog of a rare actor":              {"audit_log", few, auditWhere(func(p *dbgen.ListAuditLogParams) { p.ActorID = &rareID })},
		"listAuditLog of a rare action":             {"audit_log", few, auditWhere(func(p *dbgen.ListAuditLogParams) { p.Action = &rareAction })},
		"listAuditLog of a rare object":             {"audit_log", few, auditWhere(func(p *dbgen.ListAuditLogParams) { p.ObjectID = &rareID })},
		"listNotificationHistory of a rare type":    {"notification_deliveries", few, historyWhere(func(p *dbgen.ListNotificationHistoryParams) { p.EventType = &rareType })},
		"listNotificationHistory of a rare status":  {"notification_deliveries", few, historyWhere(func(p *dbgen.ListNotificationHistoryParams) { p.Status = &rareDelivery })},
		"listReleases of a rare status": {"releases", few, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListReleases(t.Context(), dbgen.ListReleasesParams{AccountID: account, Status: &rareRelease, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listProducts": {"products", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListProducts(t.Context(), dbgen.ListProductsParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listEnvironments by name": {"environments", page, func(_ *time.Time, id *uuid.UUID) error {
			params := dbgen.ListEnvironmentsByNameParams{AccountID: account, RowLimit: page}
			if id != nil {
				params.AfterName, params.AfterID = new("env 11"), id
			}
			_, err := db.ListEnvironmentsByName(t.Context(), params)
			return err
		}},
		"listEnvironments": {"environments", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListEnvironments(t.Context(), dbgen.ListEnvironmentsParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listReleases": {"releases", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListReleases(t.Context(), dbgen.ListReleasesParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		// The version is in eight releases, each of which has 200 versions, which are counted.
		"listReleases of a version": {"release_versions", 2000, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListReleases(t.Context(), dbgen.ListReleasesParams{AccountID: account, VersionID: &version, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		// All versions of the release are sorted: one of each product at most.
		"listReleaseVersions": {"versions", 200, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListReleaseVersions(t.Context(), dbgen.ListReleaseVersionsParams{AccountID: account, ReleaseID: release, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"getReleaseProgress": {"release_versions", 200, func(_ *time.Time, id *uuid.UUID) error {
			params := dbgen.ListReleaseProgressParams{AccountID: account, ReleaseID: release, RowLimit: page}
			if id != nil {
				params.AfterProductID, params.AfterEnvironmentID = &product, &environment
			}
			_, err := db.ListReleaseProgress(t.Context(), params)
			return err
		}},
		// A user has few sessions: they may be sorted.
		"listSessions": {"user_sessions", 200, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListSessions(t.Context(), dbgen.ListSessionsParams{AccountID: account, UserID: user, Now: time.Now(), AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listUsers": {"users", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListUsers(t.Context(), dbgen.ListUsersParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listDeploymentRules": {"deployment_rules", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListDeploymentRules(t.Context(), dbgen.ListDeploymentRulesParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listDeploymentRequests":                  {"deployment_requests", page, requestsWhere(func(*dbgen.ListDeploymentRequestsParams) {})},
		"listDeploymentRequests of a rare status": {"deployment_requests", few, requestsWhere(func(p *dbgen.ListDeploymentRequestsParams) { p.Status = &rareRelease })},
		// The version is in eight requests, each of which has 200 versions, which are counted.
		"listDeploymentRequests of a version":      {"deployment_request_versions", 2000, requestsWhere(func(p *dbgen.ListDeploymentRequestsParams) { p.VersionID = &version })},
		"listDeploymentRequests of an environment": {"deployment_request_environments", page, requestsWhere(func(p *dbgen.ListDeploymentRequestsParams) { p.EnvironmentID = &environment })},
		"listDeploymentRequests of an environment that all name": {"deployment_request_environments", page, requestsWhere(func(p *dbgen.ListDeploymentRequestsParams) {
			p.EnvironmentID = &frequentEnvironment
		})},
		"listDeploymentRequestVersions": {"versions", 200, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListRequestVersions(t.Context(), dbgen.ListRequestVersionsParams{AccountID: account, RequestID: request, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listDeploymentRequestApprovals": {"deployment_request_approvals", few, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListRequestSlotsPage(t.Context(), dbgen.ListRequestSlotsPageParams{AccountID: account, RequestID: request, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listDeploymentRequestSteps": {"deployment_request_steps", few, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListRequestStepsPage(t.Context(), dbgen.ListRequestStepsPageParams{AccountID: account, RequestID: request, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listDeploymentRequestComments": {"deployment_request_comments", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListRequestComments(t.Context(), dbgen.ListRequestCommentsParams{AccountID: account, RequestID: request, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listDeploymentRequestActivity": {"deployment_request_activity", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListRequestActivity(t.Context(), dbgen.ListRequestActivityParams{AccountID: account, RequestID: request, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listDeploymentRequestTemplates": {"deployment_request_templates", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListDeploymentRequestTemplates(t.Context(), dbgen.ListDeploymentRequestTemplatesParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		// Every second one is revoked.
		"listCalendarFeeds": {"calendar_feeds", 2 * page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListCalendarFeeds(t.Context(), dbgen.ListCalendarFeedsParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listVariables": {"variables", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListVariables(t.Context(), dbgen.ListVariablesParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		// Each template with its environment.
		"listDeploymentTemplates":              {"deployment_templates", 2 * page, templatesWhere(func(*dbgen.ListDeploymentTemplatesParams) {})},
		"listDeploymentTemplates of a product": {"deployment_templates", page, templatesWhere(func(p *dbgen.ListDeploymentTemplatesParams) { p.ProductID = &product })},
		"listDeploymentTemplates of a product and an environment": {"deployment_templates", page, templatesWhere(func(p *dbgen.ListDeploymentTemplatesParams) {
			p.ProductID, p.EnvironmentID = &product, &environment
		})},
		"listBreakGlassGrants": {"break_glass_grants", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListBreakGlassGrants(t.Context(), dbgen.ListBreakGlassGrantsParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		// Each of the version's four is compared with the others.
		"listVersionApprovals": {"version_approvals", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListVersionApprovals(t.Context(), dbgen.ListVersionApprovalsParams{AccountID: account, VersionID: version, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listRuleViolations":                   {"rule_violations", page, violationsWhere(func(*dbgen.ListRuleViolationsParams) {})},
		"listRuleViolations of a rule":         {"rule_violations", 3 * page, violationsWhere(func(p *dbgen.ListRuleViolationsParams) { p.RuleID = &rule })},
		"listRuleViolations of a product":      {"rule_violations", 2 * page, violationsWhere(func(p *dbgen.ListRuleViolationsParams) { p.ProductID = &product })},
		"listRuleViolations of an environment": {"rule_violations", 20 * page, violationsWhere(func(p *dbgen.ListRuleViolationsParams) { p.EnvironmentID = &environment })},
		"listRuleViolations of an age":         {"rule_violations", page, violationsWhere(func(p *dbgen.ListRuleViolationsParams) { p.Since, p.Until = &since, &at })},
		"listAPIKeys": {"api_keys", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListAPIKeysPage(t.Context(), dbgen.ListAPIKeysPageParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listAuditLog": {"audit_log", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListAuditLog(t.Context(), dbgen.ListAuditLogParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listNotificationChannels": {"notification_channels", page, func(at *time.Time, id *uuid.UUID) error {
			_, err := db.ListNotificationChannels(t.Context(), dbgen.ListNotificationChannelsParams{AccountID: account, AfterAt: at, AfterID: id, RowLimit: page})
			return err
		}},
		"listNotificationPreferences":              {"notification_preferences", page, preferencesWhere(nil)},
		"listNotificationPreferences of a channel": {"notification_preferences", page, preferencesWhere(&channel)},
		"listNotificationHistory":                  {"notification_deliveries", page, historyWhere(func(*dbgen.ListNotificationHistoryParams) {})},
		"listNotificationHistory of a channel":     {"notification_deliveries", 2 * page, historyWhere(func(p *dbgen.ListNotificationHistoryParams) { p.ChannelID = &channel })},
		"listNotificationHistory of an age":        {"notification_deliveries", page, historyWhere(func(p *dbgen.ListNotificationHistoryParams) { p.Since, p.Until = &anHourAgo, &fiveMinutesAgo })},
		// One in six is of the type and has the status, in runs.
		"listNotificationHistory of a type": {"notification_deliveries", 15 * page, historyWhere(func(p *dbgen.ListNotificationHistoryParams) {
			p.EventType, p.Status = &failedBuild, &failed
		})},
		"listEnvironmentState": {"environment_state", 20 * page, func(_ *time.Time, id *uuid.UUID) error { // and the other environments of each product, for the drift
			params := dbgen.ListEnvironmentStateParams{AccountID: account, RowLimit: page}
			if id != nil {
				params.AfterProductID, params.AfterEnvironmentID = &product, &environment
			}
			_, err := db.ListEnvironmentState(t.Context(), params)
			return err
		}},
	}
	for _, op := range lists(t) {
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(entries)), func(name string) bool { return name == op.id || strings.HasPrefix(name, op.id+" ") }),
			"add the list of %s, and rows of its table", op.id)
	}
	for name, l := range entries {
		t.Run(name, func(t *testing.T) {
			for _, later := range []bool{false, true} {
				var afterAt *time.Time
				var afterID *uuid.UUID
				if later {
					afterAt, afterID = &at, &version
				}
				require.NoError(t, l.run(afterAt, afterID))
				if !later {
					require.Positive(t, plans.plan.read(l.table), "plan: %+v", plans.plan)
				}
				require.LessOrEqual(t, plans.plan.read(l.table), l.most, "later page: %v, plan: %+v", later, plans.plan)
				plans.plan.walk(func(node planNode) {
					if node.Type == "Seq Scan" && node.Rows+node.Removed > 0 { // partitions of other months are empty
						require.False(t, node.isOf(l.table), "later page: %v, plan: %+v", later, plans.plan)
						require.False(t, node.isOf("deployments"), "later page: %v, plan: %+v", later, plans.plan)
					}
				})
			}
		})
	}
}
