package seed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/seed"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// target is a database.
type target struct {
	dsn  string
	pool *postgres.Pool
	keys *apikeys.Keys
}

func newTarget(t *testing.T) target {
	t.Helper()
	dsn := testdb.New(t)
	pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return target{dsn: dsn, pool: pool, keys: apikeys.New(pool, apikeys.Peppers{[]byte(strings.Repeat("pepper", 8))}, slog.New(slog.DiscardHandler))}
}

func (g target) fill(ctx context.Context, t *testing.T, account string, history seed.History) error {
	t.Helper()
	return seed.Fill(ctx, g.pool, g.keys, g.channels(t), account, history, func(int) {})
}

// channels sends nothing: seeding needs no sender.
func (target) channels(t *testing.T) notify.Channels {
	t.Helper()
	ring, err := keyring.New(bytes.Repeat([]byte("k"), keyring.KeySize))
	require.NoError(t, err)
	return notify.Channels{Keys: ring, Logger: slog.New(slog.DiscardHandler)}
}

// read returns a column.
func read[T any](t *testing.T, dsn, sql string) []T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), sql)
	require.NoError(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	require.NoError(t, err)
	return values
}

// everything selects all rows without identifiers.
const everything = `SELECT line FROM (
SELECT 'account ' || jsonb_build_array(slug, created_at)::text AS line FROM accounts
UNION ALL SELECT 'key ' || jsonb_build_array(name, description, created_at, last_used_at, revoked_at)::text FROM api_keys
UNION ALL SELECT 'user ' || jsonb_build_array(subject, name, email, claimed_role, created_at, last_seen_at)::text FROM users
UNION ALL SELECT 'environment ' || jsonb_build_array(name, type, description, metadata, created_at, updated_at)::text FROM environments
UNION ALL SELECT 'product ' || jsonb_build_array(name, description, extra_metadata, revision, created_at, updated_at)::text FROM products
UNION ALL SELECT 'version ' || jsonb_build_array(product_name, version, scm_sha, created_at, build_status)::text FROM version_details
UNION ALL SELECT 'build ' || (to_jsonb(b) - '{account_id,id,product_id,version_id}'::text[])::text FROM build_details AS b
UNION ALL SELECT 'deployment ' || (to_jsonb(d) - '{account_id,id,product_id,version_id,environment_id}'::text[])::text FROM deployment_details AS d
UNION ALL SELECT 'state ' || jsonb_build_array(p.name, e.name, d.version, d.created_at, s.current_since, l.version, l.created_at,
    ARRAY(SELECT o.version || o.created_at FROM unnest(s.open_deployment_ids) WITH ORDINALITY AS k (id, n) JOIN deployment_details AS o USING (id) ORDER BY k.n))::text
  FROM environment_state AS s JOIN products AS p ON p.id = s.product_id JOIN environments AS e ON e.id = s.environment_id
  LEFT JOIN deployment_details AS d ON d.id = s.current_deployment_id LEFT JOIN deployment_details AS l ON l.id = s.latest_deployment_id
UNION ALL SELECT 'event ' || jsonb_build_array(received_at, status, effect, body)::text FROM events
UNION ALL SELECT 'release ' || jsonb_build_array(name, description, status, revision, created_at, updated_at)::text FROM releases
UNION ALL SELECT 'release version ' || jsonb_build_array(r.name, v.product_name, v.version)::text
  FROM release_versions AS x JOIN releases AS r ON r.id = x.release_id JOIN version_details AS v ON v.id = x.version_id
UNION ALL SELECT 'channel ' || jsonb_build_array(name, channel_type, enabled, disabled_reason, disabled_at, created_at, updated_at)::text FROM notification_channels
UNION ALL SELECT 'preference ' || jsonb_build_array(event_type, environments, created_at, updated_at)::text FROM notification_preferences
UNION ALL SELECT 'delivery ' || ((to_jsonb(n) - '{account_id,id,channel_id,event_id,subject_id,payload}'::text[]) || (payload - 'id'))::text FROM notification_deliveries AS n
UNION ALL SELECT 'rule ' || (to_jsonb(r) - '{account_id,id}'::text[])::text FROM deployment_rules AS r
UNION ALL SELECT 'request ' || (to_jsonb(r) - '{account_id,id,created_by,activated_by}'::text[])::text FROM deployment_requests AS r
UNION ALL SELECT 'step ' || jsonb_build_array(phase, title, position, created_at)::text FROM deployment_request_steps
UNION ALL SELECT 'slot ' || jsonb_build_array(approval_type, required, status, decided_at)::text FROM deployment_request_approvals
UNION ALL SELECT 'grant ' || jsonb_build_array(version, reason, status, created_at, expires_at)::text FROM break_glass_grants
UNION ALL SELECT 'approval ' || jsonb_build_array(approval_type, decision, created_at)::text FROM version_approvals
UNION ALL SELECT 'template ' || jsonb_build_array(name, created_at)::text FROM deployment_templates
UNION ALL SELECT 'change ' || jsonb_build_array(occurred_at, actor_type, actor_name, credential, action, fields)::text FROM audit_log
) AS lines ORDER BY line COLLATE "C"`

// TestSeed writes the same history to two databases, and checks the rows.
func TestSeed(t *testing.T) {
	t.Parallel()
	one, other := newTarget(t), newTarget(t)
	history := seed.New(3, 14, theEnd())
	var reported []int
	require.NoError(t, seed.Fill(t.Context(), one.pool, one.keys, one.channels(t), seed.Account, history, func(events int) { reported = append(reported, events) }))
	require.IsIncreasing(t, reported)
	require.Equal(t, len(history.Events), reported[len(reported)-1])
	require.NoError(t, other.fill(t.Context(), t, seed.Account, seed.New(3, 14, theEnd())))
	require.Equal(t, read[string](t, one.dsn, everything), read[string](t, other.dsn, everything))
	require.True(t, slices.EqualFunc(history.Events, read[time.Time](t, one.dsn, "SELECT received_at FROM events ORDER BY received_at"),
		func(event seed.Event, at time.Time) bool { return at.Equal(event.At.Truncate(time.Microsecond)) }), "every event is recorded at its time")

	for what, sql := range map[string]string{
		"every event did something":    "SELECT count(*) = 0 FROM events WHERE effect NOT IN ('created', 'progressed', 'terminated')",
		"in the partition of its time": "SELECT count(*) = 0 FROM events_default",
		"by a key that was there":      "SELECT bool_and(e.received_at > k.created_at) FROM events AS e JOIN api_keys AS k ON k.id = e.api_key_id",
		"started, then ended":          "SELECT bool_and(created_at = occurred_at AND created_at <= started_at AND started_at < completed_at AND last_event_at = completed_at) FROM deployments WHERE status IN ('completed', 'failed')",
		"as their first and last event": `SELECT bool_and(d.created_at = (SELECT min(e.received_at) FROM events AS e WHERE e.deployment_id = d.id)
			AND d.last_event_at = (SELECT max(e.received_at) FROM events AS e WHERE e.deployment_id = d.id)) FROM deployments AS d`,
		"builds, too": `SELECT bool_and(b.created_at = (SELECT min(e.received_at) FROM events AS e WHERE e.build_id = b.id)
			AND b.last_event_at = (SELECT max(e.received_at) FROM events AS e WHERE e.build_id = b.id)) FROM builds AS b`,
		"built before deployed":       "SELECT bool_and(d.created_at > (SELECT min(b.completed_at) FROM builds AS b WHERE b.version_id = d.version_id AND b.status = 'completed')) FROM deployments AS d",
		"versions as of their builds": "SELECT bool_and(v.created_at = (SELECT min(b.created_at) FROM builds AS b WHERE b.version_id = v.id)) FROM versions AS v",
		"soak times": `SELECT bool_and(abs(coalesce(d.soak_time_hours, -1) - coalesce((
			SELECT extract(epoch FROM d.created_at - min(l.completed_at)) / 3600 FROM deployment_details AS l
			WHERE l.version_id = d.version_id AND l.status = 'completed' AND l.environment_type = CASE d.environment_type WHEN 'test' THEN 'dev' WHEN 'staging' THEN 'test' WHEN 'production' THEN 'staging' END), -1)) < 1e-6)
			FROM deployment_details AS d`,
		"production soaked for hours": "SELECT min(soak_time_hours) >= 5 FROM deployment_details WHERE environment_type = 'production'",
		"what runs is what was completed last": `SELECT bool_and(s.current_deployment_id = (SELECT d.id FROM deployments AS d
			WHERE d.product_id = s.product_id AND d.environment_id = s.environment_id AND d.status = 'completed' ORDER BY d.completed_at DESC LIMIT 1)
			AND s.current_since = (SELECT d.completed_at FROM deployments AS d WHERE d.id = s.current_deployment_id))
			FROM environment_state AS s WHERE s.current_deployment_id IS NOT NULL`,
		"the latest is the newest": `SELECT bool_and(l.created_at = (SELECT max(d.created_at) FROM deployments AS d
			WHERE d.product_id = s.product_id AND d.environment_id = s.environment_id)) FROM environment_state AS s JOIN deployments AS l ON l.id = s.latest_deployment_id`,
		"the unfinished ones are listed": `SELECT bool_and(s.open_deployment_ids = ARRAY(SELECT d.id FROM deployments AS d
			WHERE d.product_id = s.product_id AND d.environment_id = s.environment_id AND d.status IN ('pending', 'started') ORDER BY d.created_at)) FROM environment_state AS s`,
		"and some are in progress": "SELECT count(*) > 0 FROM environment_state WHERE open_deployment_ids <> '{}'",
		"products are everywhere":  "SELECT count(*) FILTER (WHERE current_deployment_id IS NOT NULL) >= 65 FROM environment_state",
		"no admins":                "SELECT bool_and(claimed_role <> 'admin') FROM users",
		"no real addresses":        "SELECT bool_and(email LIKE '%@example.com') FROM users",
		"changes belong to users": `SELECT bool_and(u.id IS NOT NULL) FROM audit_log AS a LEFT JOIN users AS u ON u.id = a.actor_id AND u.email = a.actor_name
			WHERE a.action NOT LIKE 'api_key.%'`,
		"no other tables are filled": "SELECT (SELECT count(*) FROM river_job) + (SELECT count(*) FROM idempotency_keys) = 0",
		"events have the keys of their CI systems": `SELECT bool_and(k.created_by IS NOT NULL AND k.revoked_at IS NULL AND k.last_used_at >= e.received_at - interval '1 ms'
			AND k.name = CASE e.body ->> 'source_system' WHEN 'github' THEN 'GitHub Actions' WHEN 'gitlab' THEN 'GitLab CI' ELSE 'Jenkins' END)
			FROM events AS e JOIN api_keys AS k ON k.id = e.api_key_id`,
		"one key is revoked": "SELECT count(*) = 4 AND count(revoked_at) = 1 AND count(revoked_at) FILTER (WHERE last_used_at IS NULL) = 1 FROM api_keys",
		"no delivery is pending": `SELECT count(*) > 20 AND bool_and(status IN ('delivered', 'failed') AND next_attempt_at IS NULL AND created_at < finished_at AND total_attempts > 0)
			FROM notification_deliveries`,
		"deliveries are about what channels subscribe to": `SELECT bool_and(EXISTS (SELECT FROM notification_preferences AS p
			WHERE p.channel_id = n.channel_id AND p.event_type = n.event_type AND (p.environments = '{}' OR d.environment_name = ANY (p.environments))))
			AND bool_and(n.payload ->> 'product' = d.product_name AND n.payload ->> 'status' = d.status)
			FROM notification_deliveries AS n JOIN deployment_details AS d ON d.id = n.subject_id`,
		"a channel is gone": `SELECT count(*) = 1 AND bool_and(NOT c.enabled AND c.disabled_at = (SELECT max(n.finished_at) FROM notification_deliveries AS n
			WHERE n.channel_id = c.id AND n.error_class = 'gone')) FROM notification_channels AS c WHERE c.disabled_reason = 'gone'`,
	} {
		require.Equal(t, []bool{true}, read[bool](t, one.dsn, sql), what)
	}
	for table, column := range map[string]string{
		"events": "received_at", "deployments": "greatest(created_at, occurred_at, started_at, completed_at, last_event_at)", "builds": "greatest(created_at, occurred_at, started_at, completed_at, last_event_at)",
		"releases": "greatest(created_at, updated_at)", "products": "updated_at", "environments": "updated_at", "users": "greatest(created_at, last_seen_at)", "audit_log": "occurred_at",
		"versions": "greatest(created_at, occurred_at, first_completed_at)", "environment_state": "current_since", "event_fingerprints": "received_at", "api_keys": "greatest(created_at, last_used_at)", "accounts": "created_at",
		"notification_channels": "greatest(created_at, disabled_at)", "notification_preferences": "created_at", "notification_deliveries": "greatest(created_at, finished_at)",
	} {
		last := read[time.Time](t, one.dsn, "SELECT max("+column+") FROM "+table)
		require.False(t, last[0].After(history.End), "%s: %v", table, last)
		first := read[time.Time](t, one.dsn, "SELECT min("+column+") FROM "+table)
		require.False(t, first[0].Before(history.Start), "%s: %v", table, first)
	}
}

func TestSeedsDiffer(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	require.NoError(t, g.fill(t.Context(), t, seed.Account, seed.New(1, 7, theEnd())))
	require.NoError(t, g.fill(t.Context(), t, "demo2", seed.New(2, 7, theEnd())), "accounts are isolated")
	versions := `SELECT product_name || ' ' || version || ' ' || coalesce(scm_sha, '') FROM version_details WHERE account_id = (SELECT id FROM accounts WHERE slug = '`
	one, other := read[string](t, g.dsn, versions+`demo')`), read[string](t, g.dsn, versions+`demo2')`)
	require.NotEmpty(t, one)
	require.NotEmpty(t, other)
	require.NotSubset(t, one, other)
	require.NotSubset(t, other, one)
}

func TestInterruptionLeavesNothing(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	history := seed.New(1, 7, theEnd())
	ctx, stop := context.WithCancel(t.Context())
	err := seed.Fill(ctx, g.pool, g.keys, g.channels(t), seed.Account, history, func(events int) {
		if events > len(history.Events)/2 {
			stop()
		}
	})
	require.Error(t, err)
	require.Empty(t, read[string](t, g.dsn, everything))
	require.NoError(t, g.fill(t.Context(), t, seed.Account, history), "and again")
	require.Equal(t, []int{len(history.Events)}, read[int](t, g.dsn, "SELECT count(*)::int FROM events"))
}

// TestUsedAccountsAreRejected seeds accounts in various states.
func TestUsedAccountsAreRejected(t *testing.T) {
	t.Parallel()
	history := seed.New(1, 7, theEnd())
	fill := func(api *testapi.API, account string) error {
		return seed.Fill(t.Context(), api.Pool, api.Keys, api.Channels, account, history, func(int) {})
	}
	post := func(t *testing.T, api *testapi.API, account, product, version string) {
		t.Helper()
		request := api.Request(t, http.MethodPost, "/deployment-events/", []byte(`{"product_name":"`+product+`","version":"`+version+`","environment_name":"production","status":"completed"}`))
		request.Header.Set("Authorization", "Bearer "+api.NewKey(t, account))
		answer := api.Do(t, request)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	}

	t.Run("Seeded", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		require.NoError(t, fill(api, seed.Account))
		before := api.Count(t, "events")
		require.ErrorIs(t, fill(api, seed.Account), seed.ErrInUse)
		require.Equal(t, before, api.Count(t, "events"))
	})
	t.Run("OneEvent", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		api.PostEvent(t, "/deployment-events/", map[string]any{"product_name": "p", "version": "1", "environment_name": "e", "status": "completed"})
		require.ErrorIs(t, fill(api, testapi.Account), seed.ErrInUse)
		require.Equal(t, 1, api.Count(t, "events"))
	})
	t.Run("OneProduct", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		require.Equal(t, http.StatusCreated, api.As(t, "admin", http.MethodPost, "/products/", `{"name":"p"}`).Status)
		require.ErrorIs(t, fill(api, testapi.Account), seed.ErrInUse)
	})
	t.Run("OneRelease", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		require.Equal(t, http.StatusCreated, api.As(t, "admin", http.MethodPost, "/releases/", `{"name":"r"}`).Status)
		require.ErrorIs(t, fill(api, testapi.Account), seed.ErrInUse)
	})
	t.Run("Empty", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		require.NoError(t, fill(api, testapi.Account))
	})
	t.Run("OneEventInTheDemoAccount", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		post(t, api, seed.Account, "checkout", "1.4.2")
		require.ErrorIs(t, fill(api, seed.Account), seed.ErrInUse)
		require.Equal(t, 1, api.Count(t, "events"))
	})
	t.Run("KeepsEnvironments", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		require.Equal(t, http.StatusCreated, api.As(t, "admin", http.MethodPost, "/environments/", `{"name":"production"}`).Status)
		require.NoError(t, fill(api, testapi.Account))
		require.Equal(t, 4, api.Count(t, "environments WHERE name NOT LIKE 'review/%'"))
	})
}

// TestNoNotifications subscribes a channel to every event.
func TestNoNotifications(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	channel := api.As(t, "admin", http.MethodPost, "/notification-channels/", `{"name":"all","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`)
	require.Equal(t, http.StatusCreated, channel.Status, "%s", channel.Body)
	for _, event := range []string{
		"deployment.started", "deployment.completed", "deployment.failed", "build.completed", "build.failed", "rule.changed", "version.approved", "breakglass.created",
		"dr.created", "dr.activated", "dr.rejected",
	} {
		body, err := json.Marshal(map[string]any{"channel_id": channel.Field(t, "id"), "event_type": event})
		require.NoError(t, err)
		answer := api.As(t, "admin", http.MethodPost, "/notification-preferences/", string(body))
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	}
	require.NoError(t, seed.Fill(t.Context(), api.Pool, api.Keys, api.Channels, testapi.Account, seed.New(1, 7, theEnd()), func(int) {}))
	require.Zero(t, api.Count(t, "notification_deliveries WHERE status = 'pending' OR channel_id = '"+channel.Field(t, "id").(string)+"'"))
	require.Zero(t, api.Count(t, "river_job"))
	api.PostEvent(t, "/deployment-events/", map[string]any{"product_name": "storefront", "version": "now", "environment_name": "dev", "status": "completed"})
	require.Equal(t, 1, api.Count(t, "river_job WHERE kind = 'fan_out_events'"), "events of now have a fan-out job")
	require.Equal(t, 1, api.Count(t, "river_job WHERE kind = 'observe_deployments'"), "and are evaluated, as the account has rules")
	require.Equal(t, 2, api.Count(t, "river_job"))
}
