package governance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/telemetry"
	"github.com/versioner-io/versioner/internal/testdb"
)

// preflights asks about rules of an account, whose events are recorded without them.
type preflights struct {
	service  *governance.Service
	db       *postgres.DB
	conn     *pgx.Conn
	account  uuid.UUID
	key      uuid.UUID
	recorder *ingest.Recorder
}

func newPreflights(tb testing.TB) *preflights {
	tb.Helper()
	dsn := testdb.New(tb)
	logger := slog.New(slog.DiscardHandler)
	owner, err := postgres.Open(tb.Context(), dsn, postgres.Observed{})
	require.NoError(tb, err)
	tb.Cleanup(owner.Close)
	api, err := postgres.OpenAPI(tb.Context(), dsn, postgres.APILimits{}, postgres.Observed{})
	require.NoError(tb, err)
	tb.Cleanup(api.Close)
	pool, err := postgres.OpenIngest(tb.Context(), dsn, postgres.Observed{})
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	key, err := apikeys.New(owner, apikeys.Peppers{[]byte(strings.Repeat("pepper", 8))}, logger).CreateInAccount(tb.Context(), "acme", apikeys.NewKey{Name: "ci"})
	require.NoError(tb, err)
	recorder := ingest.NewRecorder(pool, quota.Limits{}, nil, time.Now, telemetry.Telemetry{})
	go recorder.Run(tb.Context())
	conn, err := pgx.Connect(tb.Context(), dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	return &preflights{
		service: &governance.Service{Rules: governance.NewCache(owner, logger), Clock: time.Now}, conn: conn, recorder: recorder,
		db: api.Tenant(key.AccountID), account: key.AccountID, key: key.ID,
	}
}

func (p *preflights) exec(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	_, err := p.conn.Exec(tb.Context(), sql, args...)
	require.NoError(tb, err)
}

func (p *preflights) rule(tb testing.TB, text string) {
	tb.Helper()
	var rule policy.Rule
	require.NoError(tb, json.Unmarshal([]byte(text), &rule))
	rule.Normalize()
	require.Empty(tb, rule.Validate())
	config, err := rule.Config()
	require.NoError(tb, err)
	scope, err := json.Marshal(rule.Scope)
	require.NoError(tb, err)
	p.exec(tb, `INSERT INTO deployment_rules (account_id, id, name, rule_type, mode, priority, rollback, scope, config, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now())`,
		p.account, uuid.Must(uuid.NewV7()), rule.Name, rule.Type, rule.Mode, rule.Priority, rule.Rollback, scope, config)
	p.exec(tb, "INSERT INTO governance_state AS s (account_id) VALUES ($1) ON CONFLICT (account_id) DO UPDATE SET revision = s.revision + 1", p.account)
}

func (p *preflights) record(tb testing.TB, environment, version string, status ingest.Status) {
	tb.Helper()
	event := ingest.Event{Kind: ingest.Deployment, AccountID: p.account, APIKeyID: p.key, ProductName: "shop", EnvironmentName: environment, Version: version, Status: status, Body: json.RawMessage(`{}`)}
	require.NoError(tb, event.Normalize())
	_, err := p.recorder.Record(tb.Context(), event)
	require.NoError(tb, err)
}

func (p *preflights) ask(tb testing.TB, question governance.Question) governance.Answer {
	tb.Helper()
	answer, err := p.service.Preflight(tb.Context(), p.db, p.account, question)
	require.NoError(tb, err)
	return answer
}

func warnings(answer governance.Answer) (codes []governance.WarningCode) {
	for _, warning := range answer.Warnings {
		codes = append(codes, warning.Code)
	}
	return codes
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	question := governance.Question{Product: "shop", Version: "1", Environment: "production"}

	t.Run("WithoutRulesAllows", func(t *testing.T) {
		t.Parallel()
		p := newPreflights(t)
		answer := p.ask(t, question)
		require.True(t, answer.WouldAllow)
		require.Equal(t, []governance.WarningCode{governance.UnknownProduct, governance.UnknownEnvironment, governance.UnknownVersion}, warnings(answer))
		p.record(t, "production", "1", "started")
		require.Empty(t, p.ask(t, question).Warnings)
	})

	t.Run("SaysWhenAFreezeEnds", func(t *testing.T) {
		t.Parallel()
		p := newPreflights(t)
		now := time.Now().UTC()
		end := now.Add(2 * time.Hour).Truncate(time.Minute)
		p.rule(t, fmt.Sprintf(`{"name":"Freeze","rule_type":"schedule","scope":{"environment_types":["production"]},"schedule":{"timezone":"UTC","windows":[{"name":"w","effect":"deny","start":%q,"end":%q}]}}`,
			now.Add(-time.Hour).Format("2006-01-02T15:04"), end.Format("2006-01-02T15:04")))
		answer := p.ask(t, question)
		require.False(t, answer.WouldAllow, "the type of an environment that does not exist is inferred")
		require.Equal(t, policy.NoDeployWindow, answer.Violations[0].Code)
		require.Equal(t, end, *answer.NextAllowedAt)
		require.True(t, answer.Certain)
		require.Equal(t, "Freeze", answer.BindingRule.Name)
		question := question
		question.At = &end
		require.True(t, p.ask(t, question).WouldAllow)
		before := now.Add(-2 * time.Hour)
		question.At = &before
		_, err := p.service.Preflight(t.Context(), p.db, p.account, question)
		require.True(t, apperr.Is(err, apperr.Invalid), "%v", err)
	})

	t.Run("WarnsOfSchedulesThatNeverAllowTogether", func(t *testing.T) {
		t.Parallel()
		p := newPreflights(t)
		for day, start := range map[string]string{"MO": "2026-01-05", "TU": "2026-01-06"} {
			require.NotContains(t, warnings(p.ask(t, question)), governance.NeverAllowed)
			p.rule(t, fmt.Sprintf(`{"name":"On %s","rule_type":"schedule","schedule":{"timezone":"UTC","windows":[{"name":"w","effect":"allow","start":"%[2]sT00:00","end":"%[2]sT23:00","rrule":"FREQ=WEEKLY;BYDAY=%[1]s"}]}}`, day, start))
		}
		answer := p.ask(t, question)
		require.False(t, answer.WouldAllow)
		require.Nil(t, answer.NextAllowedAt)
		require.Contains(t, warnings(answer), governance.NeverAllowed)
	})

	t.Run("NamesMissingApprovals", func(t *testing.T) {
		t.Parallel()
		p := newPreflights(t)
		p.record(t, "production", "1", "pending")
		p.rule(t, `{"name":"QA","rule_type":"version_approval_required","version_approval_required":{"required_approvals":["qa"]}}`)
		answer := p.ask(t, question)
		require.False(t, answer.WouldAllow)
		require.Nil(t, answer.NextAllowedAt)
		require.NotNil(t, answer.EarliestAfterApprovals)
		require.Len(t, answer.MissingApprovals, 1)
		require.Equal(t, policy.QA, answer.MissingApprovals[0].Type)
		require.Contains(t, answer.MissingApprovals[0].Roles, "qa")
		p.exec(t, `INSERT INTO version_approvals (account_id, id, version_id, approval_type, decision, approver_role, given_by_name, created_at)
			SELECT account_id, gen_random_uuid(), id, 'qa', 'approved', 'qa', 'Ada', now() FROM versions`)
		require.True(t, p.ask(t, question).WouldAllow)
	})

	t.Run("FindsFormerNamesAndIdentifiers", func(t *testing.T) {
		t.Parallel()
		p := newPreflights(t)
		p.record(t, "stage", "1", "completed")
		p.record(t, "production", "0", "completed")
		p.rule(t, `{"name":"Flow","rule_type":"flow","scope":{"environments":["production"]},"flow":{"prerequisites":["STAGE"],"min_soak_minutes":0}}`)
		require.True(t, p.ask(t, question).WouldAllow)
		p.exec(t, `UPDATE environments SET name = 'staging' WHERE name = 'stage'`)
		p.exec(t, `INSERT INTO environment_names (account_id, name, environment_id) SELECT account_id, 'staging', id FROM environments WHERE name = 'staging'`)
		require.True(t, p.ask(t, question).WouldAllow, "the former name is still known")
		question := question
		question.Version = "2"
		require.Equal(t, policy.FlowViolation, p.ask(t, question).Violations[0].Code)
		unknown := uuid.Must(uuid.NewV7())
		question.ProductID = &unknown
		_, err := p.service.Preflight(t.Context(), p.db, p.account, question)
		require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	})
}

// BenchmarkPreflight asks about a start to which 20 rules of all types but requests apply, on one connection: the median and the 99th percentile.
func BenchmarkPreflight(b *testing.B) {
	p := newPreflights(b)
	for _, environment := range []string{"staging", "production"} {
		p.record(b, environment, "1", ingest.Completed)
	}
	for i := range 20 {
		p.rule(b, fmt.Sprintf([...]string{
			`{"name":"%d","rule_type":"schedule","schedule":{"timezone":"Europe/Berlin","windows":[{"name":"w","effect":"deny","start":"2020-01-06T03:00","end":"2020-01-06T03:01","rrule":"FREQ=YEARLY"}]}}`,
			`{"name":"%d","rule_type":"flow","flow":{"prerequisites":["staging"],"min_soak_minutes":60}}`,
			`{"name":"%d","rule_type":"concurrency","concurrency":{"max_in_progress":100}}`,
			`{"name":"%d","rule_type":"version_approval_required","version_approval_required":{"required_approvals":["qa"]}}`,
		}[i%4], i))
	}
	question := governance.Question{Product: "shop", Version: "1", Environment: "production"}
	require.Len(b, p.ask(b, question).Violations, 10)
	var times []time.Duration
	for b.Loop() {
		began := time.Now()
		p.ask(b, question)
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}
