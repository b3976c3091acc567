package governance

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/policy"
)

// scene is a history of one product in two environments.
type scene struct {
	History

	product, staging, production uuid.UUID
	began                        time.Time
	versions                     map[string]uuid.UUID
}

func newScene() *scene {
	s := &scene{product: uuid.New(), staging: uuid.New(), production: uuid.New(), began: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC), versions: make(map[string]uuid.UUID)}
	s.Products = map[uuid.UUID]policy.Ref{s.product: {ID: s.product, Names: []string{"checkout"}}}
	s.Environments = map[uuid.UUID]policy.Ref{
		s.staging: {ID: s.staging, Names: []string{"staging"}, Type: "staging"}, s.production: {ID: s.production, Names: []string{"production", "prod"}, Type: "production"},
	}
	s.Versions, s.Approvals = make(map[uuid.UUID]string), make(map[uuid.UUID][]PastApproval)
	return s
}

func (s *scene) version(name string) uuid.UUID {
	if s.versions[name] == uuid.Nil {
		s.versions[name] = uuid.New()
		s.Versions[s.versions[name]] = name
	}
	return s.versions[name]
}

// deploy adds a deployment that starts after some minutes and ends after others; 0: never.
func (s *scene) deploy(version string, environment uuid.UUID, start, end int, status string) {
	at := func(minutes int) time.Time { return s.began.Add(time.Duration(minutes) * time.Minute) }
	entry := HistoryEntry{ID: uuid.New(), ProductID: s.product, EnvironmentID: environment, VersionID: s.version(version), Status: status, StartedAt: at(start), LastEventAt: at(max(start, end))}
	if end > 0 {
		entry.CompletedAt = new(at(end))
	}
	s.Entries = append(s.Entries, entry)
}

// test evaluates a rule and returns the versions that it would have blocked, the newest first.
func (s *scene) test(t *testing.T, rule policy.Rule, unknownBefore time.Time) (Backtest, []string) {
	t.Helper()
	rule.Mode, rule.Name, rule.ID = policy.Enabled, "rule", uuid.New()
	rule.Normalize()
	require.Empty(t, rule.Validate())
	set, err := calendar.Compile([]policy.Rule{rule}, s.began)
	require.NoError(t, err)
	result := evaluateHistory(&s.History, set, s.began, unknownBefore, func() bool { return false })
	blocked := []string{}
	for _, item := range result.Items {
		blocked = append(blocked, item.Version)
	}
	return result, blocked
}

func TestBacktest(t *testing.T) {
	t.Parallel()
	production := policy.Scope{Environments: []string{"prod"}}

	t.Run("RebuildsWhatHasCompletedBefore", func(t *testing.T) {
		t.Parallel()
		s := newScene()
		s.deploy("1", s.production, 1, 2, "completed")   // never in staging
		s.deploy("2", s.staging, 3, 10, "completed")     // runs there from 10 to 100
		s.deploy("2", s.production, 5, 6, "completed")   // before it has completed there
		s.deploy("2", s.production, 11, 12, "failed")    // without the soak time
		s.deploy("2", s.production, 75, 76, "completed") // after it
		s.deploy("3", s.staging, 90, 100, "completed")
		s.deploy("3", s.production, 95, 96, "completed")
		s.deploy("1", s.production, 110, 0, "started") // a rollback: it was the current one for four minutes only
		rule := policy.Rule{Type: policy.FlowRule, Scope: production, Flow: &policy.Flow{Prerequisites: []string{"staging"}, MinSoakMinutes: 60}}
		result, blocked := s.test(t, rule, time.Time{})
		require.Equal(t, []string{"1", "3", "2", "2", "1"}, blocked)
		require.Equal(t, []policy.Code{policy.FlowViolation, policy.FlowViolation, policy.InsufficientSoakTime, policy.FlowViolation, policy.FlowViolation},
			[]policy.Code{result.Items[0].Code, result.Items[1].Code, result.Items[2].Code, result.Items[3].Code, result.Items[4].Code})
		require.Equal(t, 6, result.Evaluated, "starts in staging are not in the scope")
		require.Equal(t, []BacktestCount{{ID: s.product, Name: "checkout", Evaluated: 6, WouldBlock: 5}}, result.ByProduct)
		require.Equal(t, []BacktestCount{{ID: s.production, Name: "production", Evaluated: 6, WouldBlock: 5}}, result.ByEnvironment)
	})

	t.Run("AllowsRollbacks", func(t *testing.T) {
		t.Parallel()
		s := newScene()
		s.deploy("1", s.production, 1, 2, "completed")
		s.deploy("2", s.production, 30, 31, "completed")
		s.deploy("1", s.production, 40, 41, "completed")
		_, blocked := s.test(t, policy.Rule{Type: policy.FlowRule, Scope: production, Flow: &policy.Flow{Prerequisites: []string{"staging"}}}, time.Time{})
		require.Equal(t, []string{"2", "1"}, blocked)
	})

	t.Run("CountsWhatWasInProgress", func(t *testing.T) {
		t.Parallel()
		s := newScene()
		s.deploy("1", s.production, 1, 10, "failed")
		s.deploy("2", s.production, 5, 6, "completed")          // while 1 is in progress
		s.deploy("3", s.production, 10, 0, "started")           // when 1 has ended; never ends
		s.deploy("4", s.production, 11, 12, "preflight_failed") // an attempt changes nothing
		s.deploy("5", s.staging, 12, 13, "completed")           // elsewhere
		s.deploy("6", s.production, 200, 201, "completed")      // 3 is stale
		_, blocked := s.test(t, policy.Rule{Type: policy.ConcurrencyRule, Concurrency: &policy.Concurrency{MaxInProgress: 1, Per: policy.PerProductEnvironment, StaleAfterMinutes: 60}}, time.Time{})
		require.Equal(t, []string{"4", "2"}, blocked)
	})

	t.Run("KnowsApprovalsOfTheTime", func(t *testing.T) {
		t.Parallel()
		s := newScene()
		for i, version := range []string{"early", "before", "approved", "revoked"} {
			s.deploy(version, s.production, 10*(i+1), 10*(i+1)+1, "completed")
		}
		given := func(version string, minutes int, revoked *time.Time) {
			s.Approvals[s.version(version)] = append(s.Approvals[s.version(version)], PastApproval{
				Approval: policy.Approval{Type: policy.QA, Decision: policy.Approved, GivenAt: s.began.Add(time.Duration(minutes) * time.Minute)}, RevokedAt: revoked,
			})
		}
		given("before", 21, nil)
		given("approved", 15, new(s.began.Add(35*time.Minute)))
		given("revoked", 15, new(s.began.Add(35*time.Minute)))
		rule := policy.Rule{Type: policy.VersionApprovalRule, Scope: production, VersionApproval: &policy.VersionApproval{RequiredApprovals: []policy.ApprovalType{policy.QA}}}
		result, blocked := s.test(t, rule, s.began.Add(15*time.Minute))
		require.Equal(t, []string{"revoked", "before"}, blocked)
		require.Equal(t, 1, result.Unknown)
		require.Equal(t, 3, result.Evaluated)
	})

	t.Run("StopsInTime", func(t *testing.T) {
		t.Parallel()
		s := newScene()
		for minute := range 10 {
			s.deploy("1", s.production, minute+1, 0, "started")
		}
		set, err := calendar.Compile(nil, s.began)
		require.NoError(t, err)
		visited := 0
		result := evaluateHistory(&s.History, set, s.began, time.Time{}, func() bool { visited++; return visited > 3 })
		require.True(t, result.IsTruncated)
		require.Equal(t, 4, visited)
	})
}
