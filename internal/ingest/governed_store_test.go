package ingest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// governedFixture is a fixture whose recorder knows rules. Its clock can be set.
type governedFixture struct {
	*fixture

	cache *governance.Cache
	ahead *atomic.Int64 // of the clock, in nanoseconds
}

func newGovernedFixture(t *testing.T) *governedFixture {
	t.Helper()
	return governedOn(t, newFixture(t))
}

// governedOn is another server on the database of a fixture.
func governedOn(t *testing.T, f *fixture) *governedFixture {
	t.Helper()
	owner, err := postgres.Open(t.Context(), f.dsn, postgres.Observed{})
	require.NoError(t, err)
	pool, err := postgres.OpenIngest(t.Context(), f.dsn, postgres.Observed{})
	require.NoError(t, err)
	one := *f
	g := &governedFixture{fixture: &one, cache: governance.NewCache(owner, slog.New(slog.DiscardHandler)), ahead: &atomic.Int64{}}
	clock := func() time.Time { return time.Now().Add(time.Duration(g.ahead.Load())) }
	g.pool, g.recorder = pool, ingest.NewRecorder(pool, quota.Limits{}, g.cache, clock, telemetry.Telemetry{})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { g.recorder.Run(ctx) })
	running.Go(func() { g.cache.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait(); pool.Close(); owner.Close() })
	return g
}

func (g *governedFixture) advance(by time.Duration) { g.ahead.Add(int64(by)) }

// rule stores a rule as the API does, and announces it.
func (g *governedFixture) rule(t *testing.T, ruleType, mode, config string) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	rollback := "enforce"
	g.change(t, `INSERT INTO deployment_rules (account_id, id, name, rule_type, mode, priority, rollback, scope, config, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, 100, nullif($6, $4), '{"products":[],"environments":[],"environment_types":["production"]}', $7, now(), now())`,
		g.account, id, fmt.Sprintf("%s %s", ruleType, id), ruleType, mode, rollback, config)
	return id
}

// change changes rules in a transaction that locks the account's governance.
func (g *governedFixture) change(t *testing.T, sql string, args ...any) {
	t.Helper()
	conn := g.connect(t)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "INSERT INTO governance_state AS s (account_id) VALUES ($1) ON CONFLICT (account_id) DO UPDATE SET revision = s.revision + 1", g.account)
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	_, err = conn.Exec(t.Context(), "SELECT pg_notify('governance_changed', $1)", g.account.String())
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, isCertain := g.cache.Rules(g.account, time.Now()); return !isCertain }, 5*time.Second, time.Millisecond, "the server that had cached that there are no rules")
}

func (g *governedFixture) send(t *testing.T, version string, status ingest.Status, run string) (ingest.Recorded, error) {
	t.Helper()
	return g.record(t, deployment("shop", "production", version, status, run))
}

const (
	freezeRule      = `{"timezone":"UTC","windows":[{"name":"freeze","effect":"deny","start":"%s","end":"%s","rrule":null,"exdates":[],"reason":"Peak season"}]}`
	oneAtATime      = `{"max_in_progress":1,"per":"%s","stale_after_minutes":60}`
	approvedByQA    = `{"required_approvals":["qa"],"environment":null,"approval_timeout_hours":null}`
	throughStaging  = `{"prerequisites":["Staging"],"strict_order":false,"min_soak_minutes":%d}`
	windowTimestamp = "2006-01-02T15:04"
)

// freeze is a schedule that denies deployments for two hours from an hour ago on.
func freeze() string {
	now := time.Now().UTC()
	return fmt.Sprintf(freezeRule, now.Add(-time.Hour).Format(windowTimestamp), now.Add(time.Hour).Format(windowTimestamp))
}

func requireRejected(t *testing.T, err error, code apperr.Code, reason string) *apperr.Error {
	t.Helper()
	failure, ok := errors.AsType[*apperr.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, code, failure.Code, "%v", err)
	require.Equal(t, reason, failure.Rejection.Reason)
	return failure
}

func attemptID(t *testing.T, err error) uuid.UUID {
	t.Helper()
	failure, ok := errors.AsType[*apperr.Error](err)
	require.True(t, ok, "%v", err)
	return failure.Rejection.Details["attempt_id"].(uuid.UUID)
}

func preflightOf(t *testing.T, recorded ingest.Recorded) (status struct {
	Status         string `json:"status"`
	AfterRejection bool   `json:"after_rejection"`
	RulesEvaluated []struct {
		Status string `json:"status"`
		Result string `json:"evaluation_result"`
		Error  string `json:"error_message"`
	} `json:"rules_evaluated"`
},
) {
	t.Helper()
	var metadata map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(recorded.Subject.Metadata, &metadata))
	if metadata["preflight_status"] != nil {
		require.NoError(t, json.Unmarshal(metadata["preflight_status"], &status))
	}
	return status
}

func TestGovernedStarts(t *testing.T) {
	t.Parallel()
	t.Run("FreezeIs423", func(t *testing.T) {
		t.Parallel()
		g := newGovernedFixture(t)
		g.rule(t, "schedule", "enabled", freeze())
		_, err := g.send(t, "1", "started", "run")
		failure := requireRejected(t, err, apperr.Frozen, "NO_DEPLOY_WINDOW")
		require.NotNil(t, failure.Rejection.RetryAt)
		require.Equal(t, "Peak season", failure.Rejection.Details["reason"])
		attempt := attemptID(t, err)
		require.Equal(t, 1, g.count(t, "SELECT count(*) FROM deployments WHERE id = $1 AND status = 'preflight_failed' AND rejections = 1 AND started_at IS NULL", attempt))
		require.Equal(t, 1, g.count(t, "SELECT count(*) FROM events WHERE deployment_id = $1 AND effect = 'rejected' AND status = 'started'", attempt))
		require.Equal(t, 1, g.count(t, "SELECT count(*) FROM rule_violations WHERE deployment_id = $1 AND action = 'blocked' AND code = 'NO_DEPLOY_WINDOW'", attempt))
		require.Zero(t, g.count(t, "SELECT count(*) FROM event_fingerprints"))
		require.Zero(t, g.count(t, "SELECT count(*) FROM environment_state WHERE latest_deployment_id IS NOT NULL OR open_deployment_ids <> '{}'"))

		ended, err := g.send(t, "1", "completed", "run")
		require.NoError(t, err, "an end is a fact")
		require.NotEqual(t, attempt, ended.Subject.ID)
		require.Equal(t, attempt, ended.Subject.PreviousAttemptID)
		require.True(t, preflightOf(t, ended).AfterRejection)
		_, err = g.record(t, deployment("shop", "staging", "1", "started", "run"))
		require.NoError(t, err, "the rule is about production")
		_, err = g.send(t, "2", "pending", "other")
		require.NoError(t, err, "a plan is not evaluated")
	})

	t.Run("ConcurrencyIs409", func(t *testing.T) {
		t.Parallel()
		g := newGovernedFixture(t)
		g.rule(t, "concurrency", "enabled", fmt.Sprintf(oneAtATime, "product_environment"))
		first, err := g.send(t, "1", "started", "one")
		require.NoError(t, err)
		require.Equal(t, "passed", preflightOf(t, first).Status)
		_, err = g.send(t, "2", "started", "two")
		failure := requireRejected(t, err, apperr.Blocked, "DEPLOYMENT_IN_PROGRESS")
		require.Equal(t, first.Subject.ID, failure.Rejection.Details["conflicting_deployment_id"])
		again, err := g.send(t, "1", "started", "one")
		require.NoError(t, err, "a repeat is not evaluated")
		require.Equal(t, first.Subject.ID, again.Subject.ID)
		_, err = g.send(t, "1", "failed", "one")
		require.NoError(t, err)
		second, err := g.send(t, "2", "started", "two")
		require.NoError(t, err, "the place is free")
		require.Equal(t, attemptIDOf(failure), second.Subject.PreviousAttemptID)
		require.Equal(t, 1, g.count(t, "SELECT count(*) FROM deployment_slots"))
	})

	t.Run("FlowAndSoakAre428", func(t *testing.T) {
		t.Parallel()
		g := newGovernedFixture(t)
		g.rule(t, "flow", "enabled", fmt.Sprintf(throughStaging, 60))
		_, err := g.send(t, "1", "started", "run")
		failure := requireRejected(t, err, apperr.Precondition, "FLOW_VIOLATION")
		require.Nil(t, failure.Rejection.RetryAt, "waiting does not suffice")
		require.Equal(t, []string{"Staging"}, failure.Rejection.Details["missing_environments"])
		_, err = g.record(t, deployment("shop", "staging", "1", "completed", "run"))
		require.NoError(t, err)
		_, err = g.send(t, "1", "started", "run")
		failure = requireRejected(t, err, apperr.Precondition, "INSUFFICIENT_SOAK_TIME")
		require.WithinDuration(t, time.Now().Add(time.Hour), *failure.Rejection.RetryAt, time.Minute)
		g.advance(time.Hour + time.Minute)
		_, err = g.send(t, "1", "started", "run")
		require.NoError(t, err)
	})

	t.Run("SoakEndsWithTheNextVersion", func(t *testing.T) {
		t.Parallel()
		g := newGovernedFixture(t)
		g.rule(t, "flow", "enabled", fmt.Sprintf(throughStaging, 60))
		_, err := g.record(t, deployment("shop", "staging", "1", "completed", "run"))
		require.NoError(t, err)
		g.advance(30 * time.Minute)
		_, err = g.record(t, deployment("shop", "staging", "2", "completed", "other"))
		require.NoError(t, err)
		g.advance(time.Hour)
		_, err = g.send(t, "1", "started", "run")
		failure := requireRejected(t, err, apperr.Precondition, "INSUFFICIENT_SOAK_TIME")
		require.Equal(t, 30, failure.Rejection.Details["soaked_minutes"])
		_, err = g.send(t, "2", "started", "other")
		require.NoError(t, err)
	})

	t.Run("ApprovalIs428", func(t *testing.T) {
		t.Parallel()
		g := newGovernedFixture(t)
		g.rule(t, "version_approval_required", "enabled", approvedByQA)
		_, err := g.send(t, "1", "started", "run")
		requireRejected(t, err, apperr.Precondition, "QUALITY_APPROVAL_REQUIRED")
		_, err = g.conn.Exec(t.Context(), `INSERT INTO version_approvals (account_id, id, version_id, approval_type, decision, approver_role, given_by_name, created_at)
			SELECT account_id, gen_random_uuid(), id, 'qa', 'approved', 'qa', 'Ada', now() FROM versions`)
		require.NoError(t, err)
		_, err = g.send(t, "1", "started", "run")
		require.NoError(t, err)
	})

	t.Run("ReportOnlyReports", func(t *testing.T) {
		t.Parallel()
		g := newGovernedFixture(t)
		g.rule(t, "schedule", "report_only", freeze())
		recorded, err := g.send(t, "1", "started", "run")
		require.NoError(t, err)
		status := preflightOf(t, recorded)
		require.Equal(t, "passed", status.Status)
		require.Equal(t, "report_only", status.RulesEvaluated[0].Status)
		require.Equal(t, "failed", status.RulesEvaluated[0].Result)
		require.NotEmpty(t, status.RulesEvaluated[0].Error)
		require.Equal(t, 1, g.count(t, "SELECT count(*) FROM rule_violations WHERE action = 'reported' AND deployment_id = $1", recorded.Subject.ID))
		ended, err := g.send(t, "1", "completed", "run")
		require.NoError(t, err)
		require.Equal(t, "passed", preflightOf(t, ended).Status, "it stays")
	})

	t.Run("SkippedByKeysThatMay", func(t *testing.T) {
		t.Parallel()
		g := newGovernedFixture(t)
		g.rule(t, "schedule", "enabled", freeze())
		event := deployment("shop", "production", "1", "started", "run")
		event.SkipPreflight = true
		_, err := g.record(t, event)
		failure := requireRejected(t, err, apperr.Frozen, "NO_DEPLOY_WINDOW")
		require.Equal(t, true, failure.Rejection.Details["skip_ignored"])
		require.Contains(t, failure.Message, "skip_preflight_checks was ignored")
		event.MaySkipPreflight = true
		recorded, err := g.record(t, event)
		require.NoError(t, err)
		require.Equal(t, "skipped", preflightOf(t, recorded).Status)
		require.Equal(t, 1, g.count(t, "SELECT count(*) FROM rule_violations WHERE action = 'skipped'"))
		g.rule(t, "concurrency", "enabled", fmt.Sprintf(oneAtATime, "product_environment"))
		event.Version, event.InvokeID = "2", "other"
		_, err = g.record(t, event)
		require.NoError(t, err, "the first has no slot: no rule counted it")
		event.Version, event.InvokeID = "3", "third"
		_, err = g.record(t, event)
		requireRejected(t, err, apperr.Blocked, "DEPLOYMENT_IN_PROGRESS")
	})
}

func attemptIDOf(failure *apperr.Error) uuid.UUID {
	id, _ := failure.Rejection.Details["attempt_id"].(uuid.UUID)
	return id
}

func TestRejectedRepeats(t *testing.T) {
	t.Parallel()
	for _, run := range []string{"run", ""} {
		t.Run("Run="+run, func(t *testing.T) {
			t.Parallel()
			g := newGovernedFixture(t)
			g.rule(t, "schedule", "enabled", freeze())
			event := deployment("shop", "production", "1", "started", run)
			event.IdempotencyKey = "key"
			_, err := g.record(t, event)
			attempt := attemptID(t, err)
			_, err = g.record(t, event)
			require.Equal(t, attempt, attemptID(t, err), "the Idempotency-Key is free: it is evaluated again")
			require.Equal(t, 1, g.count(t, "SELECT count(*) FROM events"), "the same codes within three minutes write nothing")
			require.Equal(t, 1, g.count(t, "SELECT rejections FROM deployments"))
			g.advance(4 * time.Minute)
			_, err = g.record(t, event)
			require.Equal(t, attempt, attemptID(t, err))
			require.Equal(t, 2, g.count(t, "SELECT rejections FROM deployments"))
			require.Equal(t, 2, g.count(t, "SELECT count(*) FROM rule_violations"))
			g.rule(t, "version_approval_required", "enabled", approvedByQA)
			_, err = g.record(t, event)
			require.Equal(t, attempt, attemptID(t, err))
			require.Equal(t, 3, g.count(t, "SELECT rejections FROM deployments"), "other codes")
			g.advance(time.Hour)
			g.change(t, "UPDATE deployment_rules SET mode = 'disabled' WHERE rule_type = 'version_approval_required'")
			recorded, err := g.record(t, event)
			require.NoError(t, err)
			require.Equal(t, attempt, recorded.Subject.PreviousAttemptID)
			require.NotEqual(t, attempt, recorded.Subject.ID)
			require.Equal(t, recorded.Subject.ID, g.id(t, "SELECT latest_deployment_id FROM environment_state"))
		})

		t.Run("ADeploymentEndsTheAttempt/Run="+run, func(t *testing.T) {
			t.Parallel()
			g := newGovernedFixture(t)
			rule := g.rule(t, "schedule", "enabled", freeze())
			_, err := g.send(t, "1", "started", run)
			attempts := []uuid.UUID{attemptID(t, err)}
			for range 2 {
				g.change(t, "UPDATE deployment_rules SET mode = 'report_only' WHERE id = $1", rule)
				_, err = g.send(t, "2", "completed", "of another version")
				require.NoError(t, err)
				passed, err := g.send(t, "1", "started", run)
				require.NoError(t, err)
				require.Equal(t, attempts[len(attempts)-1], passed.Subject.PreviousAttemptID)
				_, err = g.send(t, "1", "completed", run)
				require.NoError(t, err)
				g.change(t, "UPDATE deployment_rules SET mode = 'enabled' WHERE id = $1", rule)
				_, err = g.send(t, "1", "started", run)
				attempt := attemptID(t, err)
				require.NotContains(t, attempts, attempt, "a deployment has followed the earlier ones")
				attempts = append(attempts, attempt)
				_, err = g.send(t, "1", "started", run)
				require.Equal(t, attempt, attemptID(t, err), "none has followed this one")
			}
			require.Equal(t, 3, g.count(t, "SELECT count(*) FROM deployments WHERE status = 'preflight_failed' AND rejections = 1"))
			require.Equal(t, 3, g.count(t, "SELECT count(*) FROM events WHERE effect = 'rejected'"))
			require.Equal(t, 3, g.count(t, "SELECT count(*) FROM rule_violations WHERE action = 'blocked'"))
		})
	}

	for _, run := range []string{"run", ""} {
		t.Run("ThePlannedAgainIsLinked/Run="+run, func(t *testing.T) {
			t.Parallel()
			g := newGovernedFixture(t)
			rule := g.rule(t, "schedule", "enabled", freeze())
			var attempts []uuid.UUID
			for range 2 {
				_, err := g.send(t, "1", "pending", run)
				require.NoError(t, err)
				_, err = g.send(t, "1", "started", run)
				attempts = append(attempts, attemptID(t, err))
			}
			g.change(t, "UPDATE deployment_rules SET mode = 'report_only' WHERE id = $1", rule)
			for _, previous := range []uuid.UUID{attempts[1], uuid.Nil} {
				planned, err := g.send(t, "1", "pending", run)
				require.NoError(t, err)
				passed, err := g.send(t, "1", "started", run)
				require.NoError(t, err)
				require.Equal(t, planned.Subject.ID, passed.Subject.ID)
				require.Equal(t, previous, passed.Subject.PreviousAttemptID, "of the first deployment that followed an attempt")
				_, err = g.send(t, "1", "completed", run)
				require.NoError(t, err)
			}
		})

		t.Run("TheLastRuleIsSwitchedOff/Run="+run, func(t *testing.T) {
			t.Parallel()
			g := newGovernedFixture(t)
			rule := g.rule(t, "schedule", "enabled", freeze())
			attempts := make(map[string]uuid.UUID)
			for _, version := range []string{"1", "2", "3", "4"} {
				_, err := g.send(t, version, "started", run)
				attempts[version] = attemptID(t, err)
			}
			g.change(t, "UPDATE deployment_rules SET mode = 'disabled' WHERE id = $1", rule)
			first, err := g.send(t, "1", "completed", run)
			require.NoError(t, err)
			require.Equal(t, attempts["1"], first.Subject.PreviousAttemptID, "of an account that this server does not know")
			require.True(t, preflightOf(t, first).AfterRejection)
			require.Eventually(t, func() bool {
				_, err := g.send(t, "0", "started", "other run")
				_, isCertain := g.cache.Rules(g.account, time.Now())
				return err == nil && isCertain
			}, 5*time.Second, 10*time.Millisecond)
			second, err := g.send(t, "2", "started", run)
			require.NoError(t, err)
			require.Equal(t, attempts["2"], second.Subject.PreviousAttemptID)
			third, err := g.send(t, "3", "completed", run)
			require.NoError(t, err)
			require.Equal(t, attempts["3"], third.Subject.PreviousAttemptID)
			require.True(t, preflightOf(t, third).AfterRejection)
			g.advance(25 * time.Hour)
			fourth, err := g.send(t, "4", "started", run)
			require.NoError(t, err)
			if run == "" {
				require.Equal(t, uuid.Nil, fourth.Subject.PreviousAttemptID, "an attempt without a run is over in a day")
			} else {
				require.Equal(t, attempts["4"], fourth.Subject.PreviousAttemptID)
			}
		})
	}

	t.Run("ThePlannedDeploymentBecomesTheAttempt", func(t *testing.T) {
		t.Parallel()
		g := newGovernedFixture(t)
		_, err := g.send(t, "0", "completed", "zero")
		require.NoError(t, err)
		current := g.id(t, "SELECT current_deployment_id FROM environment_state")
		planned, err := g.send(t, "1", "pending", "run")
		require.NoError(t, err)
		g.rule(t, "schedule", "enabled", freeze())
		_, err = g.send(t, "1", "started", "run")
		require.Equal(t, planned.Subject.ID, attemptID(t, err))
		require.Equal(t, current, g.id(t, "SELECT latest_deployment_id FROM environment_state"))
		require.Equal(t, 1, g.count(t, "SELECT count(*) FROM environment_state WHERE open_deployment_ids = '{}'"))
		require.Equal(t, 1, g.count(t, "SELECT count(*) FROM deployments WHERE status = 'preflight_failed'"))
	})

	t.Run("ALostAnswerLeavesOneAttempt", func(t *testing.T) {
		t.Parallel()
		g := newGovernedFixture(t)
		g.rule(t, "schedule", "enabled", freeze())
		_, err := g.send(t, "1", "started", "warm")
		require.Error(t, err)
		g.recorder.LoseAnswers(1)
		_, err = g.send(t, "1", "started", "run")
		requireRejected(t, err, apperr.Frozen, "NO_DEPLOY_WINDOW")
		require.Equal(t, 1, g.count(t, "SELECT count(*) FROM deployments WHERE invoke_id = 'run'"))
		require.Equal(t, 1, g.count(t, "SELECT count(*) FROM events AS e JOIN deployments AS d ON d.id = e.deployment_id WHERE d.invoke_id = 'run'"))
	})
}

func (f *fixture) id(t *testing.T, sql string, args ...any) uuid.UUID {
	t.Helper()
	var id uuid.UUID
	require.NoError(t, f.conn.QueryRow(t.Context(), sql, args...).Scan(&id))
	return id
}

// TestConcurrentStarts starts deployments at once on two servers, round after round: exactly one of each round is admitted, whatever the rule
// counts.
func TestConcurrentStarts(t *testing.T) {
	t.Parallel()
	const rounds = 8
	for per, starts := range map[string]int{"product_environment": 50, "product": 50, "environment": 24, "scope": 24} {
		t.Run(per, func(t *testing.T) {
			t.Parallel()
			one := newGovernedFixture(t)
			other := governedOn(t, one.fixture)
			one.rule(t, "concurrency", "enabled", fmt.Sprintf(oneAtATime, per))
			for round := range rounds {
				admitted := make(chan ingest.Event, starts)
				var group sync.WaitGroup
				for i := range starts {
					g, product := one, "shop"
					if i%2 == 1 {
						g = other
					}
					if per == "scope" || per == "environment" {
						product = fmt.Sprintf("shop %d", i) // of another pair, which locks nothing that the others do
					}
					event := g.event(t, deployment(product, "production", strconv.Itoa(i), "started", fmt.Sprintf("run %d.%d", round, i)))
					group.Go(func() {
						_, err := g.recorder.Record(context.WithoutCancel(t.Context()), event)
						switch {
						case err == nil:
							admitted <- event
						case !apperr.Is(err, apperr.Blocked):
							t.Error(err)
						}
					})
				}
				group.Wait()
				require.Len(t, admitted, 1)
				require.Equal(t, 1, one.count(t, "SELECT count(*) FROM deployments WHERE status = 'started'"))
				require.Equal(t, (starts-1)*(round+1), one.count(t, "SELECT count(*) FROM deployments WHERE status = 'preflight_failed'"))
				require.Equal(t, 1, one.count(t, "SELECT count(*) FROM deployment_slots AS s JOIN deployments AS d ON d.id = s.deployment_id WHERE d.status = 'started'"))
				end := <-admitted
				end.Status = ingest.Completed
				_, err := one.recorder.Record(t.Context(), end)
				require.NoError(t, err)
			}
		})
	}
}

func TestGrantIsUsedOnce(t *testing.T) {
	t.Parallel()
	g := newGovernedFixture(t)
	_, err := g.send(t, "0", "completed", "zero")
	require.NoError(t, err)
	g.rule(t, "schedule", "enabled", freeze())
	_, err = g.conn.Exec(t.Context(), `INSERT INTO break_glass_grants (account_id, id, product_id, environment_id, version, reason, minutes, rule_types, status,
			created_by_name, created_at, activated_at, expires_at, updated_at)
		SELECT account_id, gen_random_uuid(), product_id, environment_id, '1', 'the payment page is down', 30, '{schedule}', 'active', 'Ada', now(), now(),
			now() + interval '30 minutes', now() FROM environment_state`)
	require.NoError(t, err)
	var admitted atomic.Int32
	var group sync.WaitGroup
	for i := range 20 {
		event := g.event(t, deployment("shop", "production", "1", "started", fmt.Sprintf("run %d", i)))
		group.Go(func() {
			recorded, err := g.recorder.Record(context.WithoutCancel(t.Context()), event)
			if err == nil {
				admitted.Add(1)
				if status := preflightOf(t, recorded); status.Status != "overridden" {
					t.Error(status)
				}
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, admitted.Load())
	require.Equal(t, 1, g.count(t, `SELECT count(*) FROM break_glass_grants AS g JOIN deployments AS d ON d.id = g.used_deployment_id
		WHERE g.status = 'used' AND d.status = 'started'`))
	require.Equal(t, 1, g.count(t, "SELECT count(*) FROM rule_violations WHERE action = 'overridden' AND grant_id IS NOT NULL"))
}

// TestRuleChangeBindsFromItsCommit changes rules on one server while another one has them cached and hears of nothing.
func TestRuleChangeBindsFromItsCommit(t *testing.T) {
	t.Parallel()
	g := newGovernedFixture(t)
	rule := g.rule(t, "schedule", "enabled", freeze())
	for i := range 20 {
		_, err := g.send(t, strconv.Itoa(i), "started", "run")
		requireRejected(t, err, apperr.Frozen, "NO_DEPLOY_WINDOW")
		_, err = g.conn.Exec(t.Context(), `WITH r AS (UPDATE deployment_rules SET mode = 'report_only' WHERE id = $1)
			UPDATE governance_state SET revision = revision + 1`, rule)
		require.NoError(t, err)
		_, err = g.send(t, strconv.Itoa(i), "started", "run")
		require.NoError(t, err)
		_, err = g.conn.Exec(t.Context(), `WITH r AS (UPDATE deployment_rules SET mode = 'enabled' WHERE id = $1)
			UPDATE governance_state SET revision = revision + 1`, rule)
		require.NoError(t, err)
	}
}

// TestBatchMovesFactsOn records a completion, an end and starts in one batch: each start is evaluated on what the events before it left.
func TestBatchMovesFactsOn(t *testing.T) {
	t.Parallel()
	g := newGovernedFixture(t)
	g.rule(t, "flow", "enabled", fmt.Sprintf(throughStaging, 0))
	g.rule(t, "concurrency", "enabled", fmt.Sprintf(oneAtATime, "product_environment"))
	_, err := g.record(t, deployment("shop", "staging", "0", "completed", "zero"))
	require.NoError(t, err)
	_, err = g.send(t, "0", "started", "zero")
	require.NoError(t, err)
	var events []ingest.Event
	for _, one := range []ingest.Event{
		deployment("shop", "production", "1", "started", "one"), // staging is missing
		deployment("shop", "staging", "1", "completed", "one"),
		deployment("shop", "production", "1", "started", "one"), // 0 is in progress
		deployment("shop", "production", "0", "completed", "zero"),
		deployment("shop", "production", "1", "started", "one"),
		deployment("shop", "production", "0", "started", "again"), // 1 is in progress
	} {
		events = append(events, g.event(t, one))
	}
	_, failures, err := g.recorder.RecordTogether(t.Context(), events)
	require.NoError(t, err)
	requireRejected(t, failures[0], apperr.Precondition, "FLOW_VIOLATION")
	require.NoError(t, failures[1])
	requireRejected(t, failures[2], apperr.Blocked, "DEPLOYMENT_IN_PROGRESS")
	require.NoError(t, failures[3])
	require.NoError(t, failures[4])
	requireRejected(t, failures[5], apperr.Blocked, "DEPLOYMENT_IN_PROGRESS")
	require.Equal(t, 1, g.count(t, "SELECT count(*) FROM deployment_slots"))
}

// TestHeartbeat keeps a deployment in progress by reporting its start again with a changed body.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	t.Run("NotWithTheSameBody", func(t *testing.T) {
		t.Parallel()
		g := newGovernedFixture(t)
		g.rule(t, "concurrency", "enabled", fmt.Sprintf(oneAtATime, "product_environment"))
		start := deployment("shop", "production", "1", "started", "one")
		_, err := g.record(t, start)
		require.NoError(t, err)
		g.advance(45 * time.Minute)
		_, err = g.record(t, start)
		require.NoError(t, err, "a repeat")
		g.advance(16 * time.Minute)
		_, err = g.send(t, "2", "started", "two")
		require.NoError(t, err, "it was silent for an hour")
	})
	g := newGovernedFixture(t)
	g.rule(t, "concurrency", "enabled", fmt.Sprintf(oneAtATime, "product_environment"))
	start := deployment("shop", "production", "1", "started", "one")
	_, err := g.record(t, start)
	require.NoError(t, err)
	beat := start
	beat.Metadata = json.RawMessage(`{"progress":50}`)
	g.advance(46 * time.Minute)
	_, err = g.record(t, beat)
	require.NoError(t, err)
	g.advance(45 * time.Minute)
	_, err = g.send(t, "2", "started", "two")
	requireRejected(t, err, apperr.Blocked, "DEPLOYMENT_IN_PROGRESS")
	g.advance(20 * time.Minute)
	_, err = g.send(t, "2", "started", "two")
	require.NoError(t, err, "it was silent for an hour")
	require.Equal(t, 2, g.count(t, "SELECT count(*) FROM events WHERE effect = 'created'"))
}

// TestUngovernedAccountsAreNotLocked holds the governance of an account that has no rules: its starts do not ask for it.
func TestUngovernedAccountsAreNotLocked(t *testing.T) {
	t.Parallel()
	g := newGovernedFixture(t)
	_, err := g.send(t, "1", "started", "run")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := g.send(t, "1", "started", "run")
		_, isCertain := g.cache.Rules(g.account, time.Now())
		return err == nil && isCertain
	}, 5*time.Second, 10*time.Millisecond)
	tx, err := g.conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE governance_state, deployment_rules")
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = g.send(t, "2", "started", "other")
	require.NoError(t, err)
}

// TestPreflightNotices notifies subscribers of an attempt once, and of a start that a grant or a key let pass, in the transaction of the event.
func TestPreflightNotices(t *testing.T) {
	t.Parallel()
	g := newGovernedFixture(t)
	_, err := g.conn.Exec(t.Context(), `
		WITH c AS (INSERT INTO notification_channels (account_id, id, name, channel_type, encrypted_config, enabled, created_at, updated_at)
			VALUES ($1, gen_random_uuid(), 'ops', 'webhook', '', true, now(), now()) RETURNING id)
		INSERT INTO notification_preferences (account_id, id, channel_id, event_type, environments, products, statuses, created_at, updated_at)
			SELECT $1, gen_random_uuid(), c.id, t, '{}', '{}', '{}', now(), now() FROM c, unnest('{deployment.preflight_failed,deployment.preflight_skipped}'::text[]) AS t`, g.account)
	require.NoError(t, err)
	g.rule(t, "schedule", "enabled", freeze())
	notices := func() (found []ingest.FanOutEvent) {
		rows, err := g.conn.Query(t.Context(), "SELECT args FROM river_job WHERE kind = 'fan_out_events' ORDER BY id")
		require.NoError(t, err)
		jobs, err := pgx.CollectRows(rows, pgx.RowTo[ingest.FanOutArgs])
		require.NoError(t, err)
		for _, job := range jobs {
			found = append(found, job.Events...)
		}
		return found
	}
	_, err = g.send(t, "1", "started", "run")
	failure := requireRejected(t, err, apperr.Frozen, "NO_DEPLOY_WINDOW")
	g.advance(5 * time.Minute)
	_, err = g.send(t, "1", "started", "run")
	require.Equal(t, attemptIDOf(failure), attemptID(t, err), "rejected again")
	require.Len(t, notices(), 1)
	notice := notices()[0]
	require.Equal(t, "deployment.preflight_failed", notice.EventType)
	require.Equal(t, ingest.PreflightFailed, notice.Status)
	require.Equal(t, attemptIDOf(failure), notice.SubjectID)
	require.Equal(t, "NO_DEPLOY_WINDOW", notice.Preflight.Code)
	require.Equal(t, failure.Message, notice.Preflight.Message)
	require.WithinDuration(t, *failure.Rejection.RetryAt, *notice.Preflight.RetryAt, 0)

	event := deployment("shop", "production", "1", "started", "run")
	event.SkipPreflight, event.MaySkipPreflight = true, true
	recorded, err := g.record(t, event)
	require.NoError(t, err)
	require.Len(t, notices(), 2)
	require.Equal(t, "deployment.preflight_skipped", notices()[1].EventType)
	require.Equal(t, recorded.Subject.ID, notices()[1].SubjectID)
	_, err = g.record(t, event)
	require.NoError(t, err)
	require.Len(t, notices(), 2, "a repeat has no notice")
	require.Empty(t, notices()[1].Preflight.OpenApprovals)

	g.rule(t, "version_approval_required", "enabled", approvedByQA)
	_, err = g.send(t, "2", "started", "other run")
	requireRejected(t, err, apperr.Precondition, "QUALITY_APPROVAL_REQUIRED")
	require.Len(t, notices(), 3)
	require.Equal(t, []policy.ApprovalType{policy.QA}, notices()[2].Preflight.OpenApprovals)
}
