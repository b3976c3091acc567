package ingest_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/ingest"
)

// fill inserts completed deployments of the product shop in an environment, one every two seconds up to an hour ago, each of 20 seconds
// and of a version of its own.
func (g *governedFixture) fill(t *testing.T, environment string, number int) {
	t.Helper()
	_, err := g.conn.Exec(t.Context(), `
		WITH v AS (
			INSERT INTO versions (account_id, id, product_id, version, created_at)
			SELECT p.account_id, gen_random_uuid(), p.id, $1 || n, now() FROM products AS p, generate_series(1, $2::integer) AS n
			RETURNING *
		)
		INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, invoke_id, occurred_at, completed_at,
			last_event_at, superseded, overtaken, extra_metadata, created_at)
		SELECT v.account_id, gen_random_uuid(), v.product_id, v.id, e.id, 'completed', '{completed}', v.version, at, at + interval '20 seconds',
			now(), false, false, '{}', now()
		FROM (SELECT *, now() - interval '1 hour' - row_number() OVER () * interval '2 seconds' AS at FROM v) AS v
		JOIN environments AS e ON e.name = $1`, environment, number)
	require.NoError(t, err)
}

// TestHistoryIsReadInPart starts versions in a product and environment with thousands of deployments of a day. It reads a few of them, even
// without statistics, and finds the deployments that were in progress when a version completed.
func TestHistoryIsReadInPart(t *testing.T) {
	t.Parallel()
	g := newGovernedFixture(t)
	_, err := g.conn.Exec(t.Context(), "ALTER TABLE deployments SET (autovacuum_enabled = off)")
	require.NoError(t, err)
	for _, environment := range []string{"Staging", "production"} {
		_, err := g.record(t, deployment("shop", environment, "1", ingest.Completed, "first"))
		require.NoError(t, err)
		g.fill(t, environment, 3000)
	}
	g.rule(t, "flow", "enabled", fmt.Sprintf(throughStaging, 30))
	g.change(t, "UPDATE deployment_rules SET rollback = 'allow'")
	for run, completed := range map[string]time.Duration{"soaked": 50 * time.Minute, "short": 65 * time.Minute} {
		_, err = g.record(t, deployment("shop", "Staging", run, ingest.Completed, run))
		require.NoError(t, err)
		_, err = g.conn.Exec(t.Context(), "UPDATE deployments SET occurred_at = now() - $2::interval - interval '1 minute', completed_at = now() - $2::interval WHERE invoke_id = $1", run, completed)
		require.NoError(t, err)
	}
	_, err = g.conn.Exec(t.Context(), "UPDATE deployments SET completed_at = now() - interval '16 minutes' WHERE invoke_id = 'first'")
	require.NoError(t, err)
	before := g.rowsRead(t, "deployments")
	const starts = 10
	for n := range starts {
		_, err = g.send(t, "soaked", ingest.Started, strconv.Itoa(n))
		require.NoError(t, err)
	}
	_, err = g.send(t, "short", ingest.Started, "run")
	failure := requireRejected(t, err, apperr.Precondition, "INSUFFICIENT_SOAK_TIME")
	require.Contains(t, failure.Message, "for 0 of 30 minutes", "deployments that were in progress completed within seconds")
	read := g.rowsRead(t, "deployments") - before
	require.Less(t, read, 60*(starts+1))
	require.Greater(t, read, starts, "the reads are counted")
}

// TestAttemptsWithoutRun starts a version that was deployed thousands of times without a run, before its attempt and after it: it reads few of
// these deployments.
func TestAttemptsWithoutRun(t *testing.T) {
	t.Parallel()
	g := newGovernedFixture(t)
	_, err := g.conn.Exec(t.Context(), "ALTER TABLE deployments SET (autovacuum_enabled = off)")
	require.NoError(t, err)
	_, err = g.send(t, "latest", ingest.Completed, "")
	require.NoError(t, err)
	deploy := func(idPrefix string) {
		_, err := g.connect(t).Exec(t.Context(), `
			INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, occurred_at, completed_at,
				last_event_at, superseded, overtaken, extra_metadata, created_at)
			SELECT account_id, ($1 || '-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, product_id, version_id, environment_id, 'completed', '{completed}',
				now() - n * interval '1 hour', now() - n * interval '1 hour', now(), false, false, '{}', now()
			FROM (SELECT * FROM deployments ORDER BY id LIMIT 1) AS d, generate_series(1, 5000) AS n`, idPrefix)
		require.NoError(t, err)
	}
	deploy("00000000")
	g.rule(t, "schedule", "enabled", freeze())
	start := func() (attempt uuid.UUID, read int) {
		before := g.rowsRead(t, "deployments")
		_, err := g.send(t, "latest", ingest.Started, "")
		return attemptID(t, err), g.rowsRead(t, "deployments") - before
	}
	first, _ := start()
	again, read := start()
	require.Equal(t, first, again, "the same attempt")
	require.Less(t, read, 100)
	require.Positive(t, read, "the reads are counted")
	deploy("ffffffff")
	other, read := start()
	require.NotEqual(t, first, other, "deployments have followed the first one")
	require.Less(t, read, 100)
}

// TestRollback starts versions in a freeze that passes rollbacks: those that were the current one for long enough, and are not now.
func TestRollback(t *testing.T) {
	t.Parallel()
	g := newGovernedFixture(t)
	for version, completed := range map[string]time.Duration{"short": 3 * time.Hour, "former": 3*time.Hour - 10*time.Minute, "current": time.Hour} {
		_, err := g.send(t, version, ingest.Completed, version)
		require.NoError(t, err)
		_, err = g.conn.Exec(t.Context(), "UPDATE deployments SET occurred_at = now() - $2::interval, completed_at = now() - $2::interval WHERE invoke_id = $1", version, completed)
		require.NoError(t, err)
	}
	_, err := g.connect(t).Exec(t.Context(), "UPDATE environment_state SET current_deployment_id = (SELECT id FROM deployments WHERE invoke_id = 'current')")
	require.NoError(t, err)
	g.rule(t, "schedule", "enabled", freeze())
	g.change(t, "UPDATE deployment_rules SET rollback = 'allow'")
	for _, version := range []string{"short", "current", "new"} {
		_, err := g.send(t, version, ingest.Started, version+" again")
		requireRejected(t, err, apperr.Frozen, "NO_DEPLOY_WINDOW")
	}
	back, err := g.send(t, "former", ingest.Started, "back")
	require.NoError(t, err)
	status := preflightOf(t, back)
	require.Equal(t, "passed", status.Status)
	require.Equal(t, "rolled_back", status.RulesEvaluated[0].Result)
	require.Equal(t, 3, g.count(t, "SELECT count(*) FROM deployments WHERE status = 'preflight_failed'"), "what ran again has recorded nothing twice")
	require.Equal(t, 3, g.count(t, "SELECT count(*) FROM rule_violations"))
}

// TestSoakOfRedeployments deploys a version to test and staging, and then again every hour for 100 hours. It has soaked without interruption
// unless another version has completed, and in the order of the prerequisites.
func TestSoakOfRedeployments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		redeployed []string
		between    []int  // hours ago, when other versions completed in staging
		message    string // of the rejection
	}{
		"Uninterrupted":      {redeployed: []string{"test", "staging"}},
		"Interrupted":        {redeployed: []string{"test", "staging"}, between: []int{70, 140}, message: "for 4140 of 4320 minutes"},
		"StagingOnceInOrder": {redeployed: []string{"test"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGovernedFixture(t)
			conn := g.connect(t)
			for environment, hours := range map[string]int{"test": 201, "staging": 200} {
				first, err := g.record(t, deployment("shop", environment, "1", ingest.Completed, ""))
				require.NoError(t, err)
				_, err = conn.Exec(t.Context(), "UPDATE deployments SET occurred_at = now() - $2 * interval '1 hour', completed_at = now() - $2 * interval '1 hour' WHERE id = $1", first.Subject.ID, hours)
				require.NoError(t, err)
			}
			for _, redeployed := range c.redeployed {
				_, err := conn.Exec(t.Context(), `
					INSERT INTO deployments (account_id, id, product_id, version_id, environment_id, status, seen_statuses, occurred_at, completed_at,
						last_event_at, superseded, overtaken, extra_metadata, created_at)
					SELECT d.account_id, ('f' || lpad((200 - n)::text, 7, '0') || '-0000-7000-8000-' || md5(e.name)::char(12))::uuid, d.product_id, d.version_id,
						d.environment_id, 'completed', '{completed}', now() - n * interval '1 hour', now() - n * interval '1 hour', now(), false, false, '{}', now()
					FROM deployments AS d JOIN environments AS e ON e.id = d.environment_id AND e.name = $1 AND d.invoke_id IS NULL, generate_series(1, 100) AS n`, redeployed)
				require.NoError(t, err)
			}
			for _, hours := range c.between {
				other := strconv.Itoa(hours)
				_, err := g.record(t, deployment("shop", "staging", other, ingest.Completed, other))
				require.NoError(t, err)
				_, err = conn.Exec(t.Context(), "UPDATE deployments SET occurred_at = now() - $2 * interval '1 hour', completed_at = now() - $2 * interval '1 hour' WHERE invoke_id = $1", other, hours)
				require.NoError(t, err)
			}
			g.rule(t, "flow", "enabled", `{"prerequisites":["test","staging"],"strict_order":true,"min_soak_minutes":4320}`)
			_, err := g.send(t, "1", ingest.Started, "run")
			if c.message == "" {
				require.NoError(t, err)
				return
			}
			failure := requireRejected(t, err, apperr.Precondition, "INSUFFICIENT_SOAK_TIME")
			require.Contains(t, failure.Message, c.message, "since the first completion after 70 hours ago")
		})
	}
}
