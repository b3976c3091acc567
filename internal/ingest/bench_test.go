package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/telemetry"
	"github.com/versioner-io/versioner/internal/testdb"
)

const benchClients = 64

// benchTarget records events into one database, without HTTP.
type benchTarget struct {
	recorder     *ingest.Recorder
	dsn          string
	account, key uuid.UUID
	number       atomic.Int64
	reportsStart bool // before each end
}

func newBenchTarget(b *testing.B, dsn string) *benchTarget {
	b.Helper()
	ctx := context.Background()
	logger := slog.New(slog.DiscardHandler)
	owner, err := postgres.Open(ctx, dsn, postgres.Observed{})
	require.NoError(b, err)
	pool, err := postgres.OpenIngest(ctx, dsn, postgres.Observed{})
	require.NoError(b, err)
	key, err := apikeys.New(owner, apikeys.Peppers{[]byte(strings.Repeat("pepper", 8))}, logger).CreateInAccount(ctx, "acme", apikeys.NewKey{Name: "bench"})
	require.NoError(b, err)
	rules := governance.NewCache(owner, logger)
	target := &benchTarget{recorder: ingest.NewRecorder(pool, quota.Limits{}, rules, time.Now, telemetry.Telemetry{}), dsn: dsn, account: key.AccountID, key: key.ID}
	background, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { rules.Run(background) })
	running.Go(func() { target.recorder.Run(background) })
	b.Cleanup(func() { stop(); running.Wait(); pool.Close(); owner.Close() })
	return target
}

// record records the next event: of 80 pairs, with a version for 20 events of a product.
func (t *benchTarget) record() error {
	n := t.number.Add(1)
	event := ingest.Event{
		Kind: ingest.Deployment, AccountID: t.account, APIKeyID: t.key,
		ProductName: fmt.Sprintf("product %d", n%20), EnvironmentName: []string{"dev", "qa", "staging", "production"}[n/20%4],
		Version: fmt.Sprintf("1.0.%d", n/400), Status: ingest.Completed, InvokeID: strconv.FormatInt(n, 10),
		Details: ingest.Details{
			SourceSystem: "github", BuildNumber: "17", SHA: "9fceb02d0ae598e95dc970b74767f19372d61af8", Branch: "main", Repository: "acme/shop",
			URL: "https://github.com/acme/shop/actions/runs/16421300017", By: "ada", ByEmail: "ada@example.com", ByName: "Ada Lovelace",
		},
		Metadata: []byte(`{"vi_gh_workflow":"deploy","vi_gh_run_attempt":"1","vi_gh_actor":"ada","vi_gh_ref":"refs/heads/main","vi_gh_event_name":"push"}`),
		Body:     fmt.Appendf(nil, `{"n":%d,"body":%q}`, n, strings.Repeat("x", 800)),
	}
	if err := event.Normalize(); err != nil {
		return err
	}
	if t.reportsStart {
		start := event
		start.Status = ingest.Started
		if _, err := t.recorder.Record(context.Background(), start); err != nil {
			return err
		}
	}
	_, err := t.recorder.Record(context.Background(), event)
	return err
}

// run records n events from benchClients goroutines and returns the time that it took.
func (t *benchTarget) run(b *testing.B, n int) time.Duration {
	b.Helper()
	begin := time.Now()
	var left atomic.Int64
	left.Store(int64(n))
	var group sync.WaitGroup
	for range benchClients {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if err := t.record(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(begin)
}

// BenchmarkRecord reports the cost of load, decide and store.
func BenchmarkRecord(b *testing.B) {
	target := newBenchTarget(b, testdb.NewDurable(b))
	b.ReportAllocs()
	b.ResetTimer()
	target.run(b, b.N)
}

// BenchmarkRowLevelSecurity records events into two databases of one server in turns, with and without row-level security. It
// reports the rate with it as a part of the rate without: the median of the turns.
func BenchmarkRowLevelSecurity(b *testing.B) {
	ctx := context.Background()
	dsn := testdb.NewDurable(b)
	conn, err := pgx.Connect(ctx, dsn)
	require.NoError(b, err)
	_, err = conn.Exec(ctx, "CREATE DATABASE without_security TEMPLATE template0")
	require.NoError(b, err)
	require.NoError(b, conn.Close(ctx))
	other := dsn + " dbname=without_security"
	require.NoError(b, migrate.Up(ctx, other, slog.New(slog.DiscardHandler)))
	conn, err = pgx.Connect(ctx, other)
	require.NoError(b, err)
	_, err = conn.Exec(ctx, `DO $$ DECLARE v_table text; BEGIN
		FOR v_table IN SELECT relname FROM pg_class WHERE relrowsecurity LOOP EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', v_table); END LOOP; END $$`)
	require.NoError(b, err)
	require.NoError(b, conn.Close(ctx))

	compareTargets(b, newBenchTarget(b, dsn), newBenchTarget(b, other))
}

// analyze collects statistics, which autovacuum would do at some time during the benchmark: plans depend on them.
func (t *benchTarget) analyze(b *testing.B) {
	b.Helper()
	conn, err := pgx.Connect(context.Background(), t.dsn)
	require.NoError(b, err)
	_, err = conn.Exec(context.Background(), "ANALYZE")
	require.NoError(b, err)
	require.NoError(b, conn.Close(context.Background()))
}

// compareTargets records events with both targets in turns, and reports the rate of the first as a part of that of the other: the median of
// the turns.
func compareTargets(b *testing.B, with, without *benchTarget) {
	b.Helper()
	const turns = 15
	for _, target := range []*benchTarget{with, without} {
		target.run(b, 1000)
		target.analyze(b)
	}
	each := max(b.N/(2*turns), 100)
	parts := make([]float64, turns)
	for turn := range parts {
		if turn%2 == 0 { // neither is always the second
			first := without.run(b, each)
			parts[turn] = first.Seconds() / with.run(b, each).Seconds()
		} else {
			first := with.run(b, each)
			parts[turn] = without.run(b, each).Seconds() / first.Seconds()
		}
	}
	slices.Sort(parts)
	b.ReportMetric(parts[turns/2], "of-the-rate-without")
}

// BenchmarkDeploymentRules records starts and ends in two accounts of one server in turns: one with 20 rules, of all types, that let every
// start pass, and one without. It reports the rate with rules as a part of the rate without.
func BenchmarkDeploymentRules(b *testing.B) {
	ctx := context.Background()
	dsn := testdb.NewDurable(b)
	with, without := newBenchTarget(b, dsn), newBenchTarget(b, dsn)
	with.reportsStart, without.reportsStart = true, true
	conn, err := pgx.Connect(ctx, dsn)
	require.NoError(b, err)
	without.useAccount(b, conn)
	with.addRules(b, conn)
	require.NoError(b, conn.Close(ctx))
	compareTargets(b, with, without)
}

// BenchmarkDeploymentRequests records starts and ends in two accounts with those rules in turns: in one, a rule requires deployment requests for
// all starts in production, and approved requests name their versions.
func BenchmarkDeploymentRequests(b *testing.B) {
	ctx := context.Background()
	dsn := testdb.NewDurable(b)
	with, without := newBenchTarget(b, dsn), newBenchTarget(b, dsn)
	with.reportsStart, without.reportsStart = true, true
	conn, err := pgx.Connect(ctx, dsn)
	require.NoError(b, err)
	without.useAccount(b, conn)
	for _, target := range []*benchTarget{with, without} {
		target.addRules(b, conn)
		target.addVersions(b, conn)
	}
	_, err = conn.Exec(ctx, `INSERT INTO deployment_rules (account_id, id, name, rule_type, mode, priority, rollback, scope, config, created_at, updated_at)
		VALUES ($1, gen_random_uuid(), 'requests', 'deployment_request_required', 'enabled', 100, 'allow',
			'{"products":[],"environments":["production"],"environment_types":[]}', '{"required_approvals":["qa"],"approval_timeout_hours":null,"require_pre_steps":true}', now(), now())`, with.account)
	require.NoError(b, err)
	_, err = conn.Exec(ctx, approvedRequests, with.account)
	require.NoError(b, err)
	require.NoError(b, conn.Close(ctx))
	compareTargets(b, with, without)
	conn, err = pgx.Connect(ctx, dsn)
	require.NoError(b, err)
	var starts, linked int
	require.NoError(b, conn.QueryRow(ctx, `SELECT count(*), count(d.deployment_request_id) FROM deployments AS d
		JOIN environments AS e ON e.account_id = d.account_id AND e.id = d.environment_id WHERE d.account_id = $1 AND e.name = 'production'`, with.account).Scan(&starts, &linked))
	require.Equal(b, starts, linked, "each start in production is one of a request")
	require.NoError(b, conn.Close(ctx))
}

// approvedRequests inserts an approved request for each name of a version, with the versions of all products, to production.
const approvedRequests = `
WITH request AS (
  INSERT INTO deployment_requests (account_id, id, name, description, status, gate, created_by, created_by_name, created_at, activated_at, updated_at)
  SELECT $1, gen_random_uuid(), v.version, '', 'approved', true, gen_random_uuid(), 'Ada', now(), now(), now() FROM (SELECT DISTINCT version FROM versions WHERE account_id = $1) AS v
  RETURNING account_id, id, name, created_at
), version AS (
  INSERT INTO deployment_request_versions (account_id, request_id, product_id, version_id)
  SELECT r.account_id, r.id, v.product_id, v.id FROM request AS r JOIN versions AS v ON v.account_id = r.account_id AND v.version = r.name
), environment AS (
  INSERT INTO deployment_request_environments (account_id, request_id, environment_id, requested_at)
  SELECT r.account_id, r.id, e.id, r.created_at FROM request AS r JOIN environments AS e ON e.account_id = r.account_id AND e.name = 'production'
)
INSERT INTO deployment_request_approvals (account_id, id, request_id, approval_type, required, status, decided_by, decided_by_name, approver_role, decided_at, created_at)
SELECT r.account_id, gen_random_uuid(), r.id, t, true, 'approved', gen_random_uuid(), 'Grace', 'admin', now(), now() FROM request AS r, unnest('{qa, security}'::text[]) AS t`

// addVersions inserts the products, environments and versions of all events that the benchmark may record.
func (t *benchTarget) addVersions(b *testing.B, conn *pgx.Conn) {
	b.Helper()
	names := max(b.N, 100*2*15)/400 + 10
	_, err := conn.Exec(context.Background(), `
		WITH product AS (
		  INSERT INTO products (account_id, id, name, created_at, updated_at) SELECT $1, gen_random_uuid(), 'product ' || n, now(), now() FROM generate_series(0, 19) AS n
		  RETURNING account_id, id, name
		), product_name AS (
		  INSERT INTO product_names (account_id, name, product_id) SELECT account_id, name, id FROM product
		), environment AS (
		  INSERT INTO environments (account_id, id, name, type, created_at, updated_at)
		  SELECT $1, gen_random_uuid(), n, 'other', now(), now() FROM unnest('{dev, qa, staging, production}'::text[]) AS n
		  RETURNING account_id, id, name
		), environment_name AS (
		  INSERT INTO environment_names (account_id, name, environment_id) SELECT account_id, name, id FROM environment
		)
		INSERT INTO versions (account_id, id, product_id, version, created_at) SELECT account_id, gen_random_uuid(), id, '1.0.' || n, now() FROM product, generate_series(0, $2) AS n`,
		t.account, names)
	require.NoError(b, err)
}

// addRules adds 20 rules of all types that let every start pass.
func (t *benchTarget) addRules(b *testing.B, conn *pgx.Conn) {
	b.Helper()
	for i := range 20 {
		ruleType, config := [...]string{"schedule", "flow", "concurrency", "version_approval_required"}[i%4], [...]string{
			`{"timezone":"Europe/Berlin","windows":[{"name":"w","effect":"deny","start":"2020-01-06T03:00","end":"2020-01-06T03:01","rrule":"FREQ=YEARLY","exdates":[],"reason":null}]}`,
			`{"prerequisites":["dev"],"strict_order":false,"min_soak_minutes":0}`,
			`{"max_in_progress":100,"per":"product_environment","stale_after_minutes":60}`,
			`{"required_approvals":["qa"],"environment":null,"approval_timeout_hours":null}`,
		}[i%4]
		mode, product := "enabled", "[]"
		switch ruleType { // no start is blocked
		case "flow":
			mode = "report_only"
		case "version_approval_required":
			product = `["other"]`
		}
		_, err := conn.Exec(context.Background(), `INSERT INTO deployment_rules (account_id, id, name, rule_type, mode, priority, rollback, scope, config, created_at, updated_at)
			VALUES ($1, gen_random_uuid(), $2, $3, $4, 100, CASE WHEN $3 <> 'concurrency' THEN 'allow' END,
				jsonb_build_object('products', $6::jsonb, 'environments', '["production"]'::jsonb, 'environment_types', '[]'::jsonb), $5, now(), now())`,
			t.account, fmt.Sprintf("rule %d", i), ruleType, mode, config, product)
		require.NoError(b, err)
	}
	_, err := conn.Exec(context.Background(), "INSERT INTO governance_state (account_id) VALUES ($1)", t.account)
	require.NoError(b, err)
}

// useAccount makes the target report for another account, whose key is its own.
func (t *benchTarget) useAccount(b *testing.B, conn *pgx.Conn) {
	b.Helper()
	account, key := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	_, err := conn.Exec(context.Background(), `WITH a AS (INSERT INTO accounts (id, slug, created_at) VALUES ($1, 'other', now()) RETURNING id)
		INSERT INTO api_keys (account_id, id, key_id, name, token_hmac, created_at) SELECT id, $2, 'k1', 'bench', sha256('other'), now() FROM a`, account, key)
	require.NoError(b, err)
	t.account, t.key = account, key
}
