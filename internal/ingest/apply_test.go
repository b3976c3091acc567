package ingest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
)

// TestRunCases goes through testdata/runs.yaml without a database.
func TestRunCases(t *testing.T) {
	t.Parallel()
	for _, c := range loadRunCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(Deployment)
			begin := l.now
			for _, e := range c.Events {
				l.now = later(l.now.Add(time.Millisecond), begin.Add(time.Duration(e.At*float64(time.Second))))
				event := Event{Version: e.Version, Status: Status(e.Status), InvokeID: e.Run}
				if e.Meta != nil {
					event.Metadata, _ = json.Marshal(e.Meta)
				}
				if e.End != nil {
					event.CompletedAt = l.now.Add(time.Duration(*e.End * float64(time.Second)))
				}
				_, err := l.send(t, event)
				require.NoError(t, err)
			}
			readAt := l.now
			if c.ReadAt != nil {
				readAt = begin.Add(time.Duration(*c.ReadAt * float64(time.Second)))
			}
			l.requireState(t, c, readAt)
		})
	}
}

func (l *ledger) requireState(t *testing.T, c runCase, readAt time.Time) {
	t.Helper()
	pair, all := l.pair(), l.all()
	for _, s := range all {
		require.False(t, s.CompletedAt.Before(s.StartedAt) && !s.CompletedAt.IsZero(), "no negative duration")
	}
	for key, want := range c.Expect {
		switch key {
		case "live":
			var live any
			if pair.CurrentID != uuid.Nil {
				live = l.versionName(l.subjects[pair.CurrentID].VersionID)
			}
			require.Equal(t, want, live, key)
		case "running":
			var running any
			open := make([]Subject, len(pair.OpenIDs))
			for i, id := range pair.OpenIDs {
				open[i] = l.subjects[id].Subject
			}
			if at := InProgress(open, readAt); at >= 0 {
				running = l.versionName(open[at].VersionID)
			}
			require.Equal(t, want, running, key)
		case "statuses":
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(statusesOf(all)), key)
		case "statuses_by_occurred":
			slices.SortStableFunc(all, func(a, b Subject) int { return a.OccurredAt.Compare(b.OccurredAt) })
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(statusesOf(all)), key)
		case "versions_behind": // over HTTP: the list counts them
		default:
			t.Fatalf("unknown expectation %s", key)
		}
	}
}

// TestApply covers the effects of events. Builds follow the same rules.
func TestApply(t *testing.T) {
	t.Parallel()
	type step struct {
		status  Status
		run     string
		attempt int
		after   time.Duration // since the step before
		note    string        // makes bodies differ that are otherwise equal
		effect  Effect
		subject int // in the order of creation, from 1
	}
	const second, hour = time.Second, time.Hour
	for name, steps := range map[string][]step{
		"1 ManyEventsOneSubject": {
			{Pending, "a", 0, 0, "", Created, 1},
			{Started, "a", 0, second, "", Progressed, 1},
			{Completed, "a", 0, second, "", Terminated, 1},
		},
		"1 RunIsReportedLater": {
			{Started, "", 0, 0, "", Created, 1},
			{Completed, "a", 0, second, "", Terminated, 1},
			{Completed, "a", 0, hour, "other", Duplicate, 1},
		},
		"1 EndWithoutRunEndsTheOpenOne": {
			{Started, "a", 0, 0, "", Created, 1},
			{Failed, "", 0, second, "", Terminated, 1},
		},
		"1 OtherRunsAreOtherSubjects": {
			{Started, "a", 0, 0, "", Created, 1},
			{Started, "b", 0, second, "", Created, 2},
			{Completed, "a", 0, second, "", Terminated, 1},
			{Aborted, "b", 0, second, "", Terminated, 2},
		},
		"2b OpenOneHasSeenIt": {
			{Pending, "a", 0, 0, "", Created, 1},
			{Pending, "a", 0, hour, "other", Duplicate, 1},
			{Started, "a", 0, second, "", Progressed, 1},
			{Pending, "a", 0, second, "", Duplicate, 1},
			{Started, "a", 0, 10 * hour, "other", Duplicate, 1},
		},
		"2b WithoutRunAStartIsNotARepeatAfterADay": {
			{Started, "", 0, 0, "", Created, 1},
			{Started, "", 0, 23 * hour, "", Duplicate, 1},
			{Started, "", 0, 2 * hour, "", Created, 2},
			{Completed, "", 0, second, "", Terminated, 2},
			{Completed, "", 0, second, "other", Terminated, 1},
		},
		"2c SameEndOfTheSameRun": {
			{Completed, "a", 0, 0, "", Created, 1},
			{Completed, "a", 0, hour, "other", Duplicate, 1},
		},
		"2d EqualEndWithoutRunWithinThreeMinutes": {
			{Completed, "", 0, 0, "", Created, 1},
			{Completed, "", 0, 170 * second, "", Duplicate, 1},
			{Completed, "", 0, 20 * second, "", Created, 2},
			{Completed, "", 0, second, "other", Created, 3},
			{Completed, "", 0, second, "", Created, 4},
		},
		"2e EqualEndOfARunWithinTenSeconds": {
			{Completed, "a", 0, 0, "", Created, 1},
			{Failed, "a", 0, second, "", Created, 2},
			{Completed, "a", 0, second, "", Duplicate, 1},
			{Completed, "a", 0, 20 * second, "", Created, 3},
		},
		"3 RerunHoweverSoon": {
			{Started, "a", 0, 0, "", Created, 1},
			{Failed, "a", 0, second, "", Terminated, 1},
			{Started, "a", 0, second, "", Created, 2},
			{Failed, "a", 0, second, "", Terminated, 2},
			{Started, "a", 0, second, "", Created, 3},
			{Completed, "a", 0, second, "", Terminated, 3},
		},
		"3 LateStartChangesNothing": {
			{Completed, "a", 0, 0, "", Created, 1},
			{Started, "a", 0, second, "", OutOfOrder, 1},
			{Pending, "a", 0, second, "", OutOfOrder, 1},
			{Started, "a", 0, second, "", Created, 2},
		},
		"3 PendingAfterStarted": {
			{Started, "a", 0, 0, "", Created, 1},
			{Pending, "a", 0, second, "", OutOfOrder, 1},
			{Pending, "a", 0, second, "", Duplicate, 1},
		},
		"4 EndWithoutRunIsARedeployment": {
			{Completed, "", 0, 0, "", Created, 1},
			{Completed, "", 0, hour, "", Created, 2},
		},
		"5 NotTheLatestAnyMore": {
			{Completed, "a", 0, 0, "1", Created, 1},
			{Completed, "b", 0, second, "", Created, 2},
			{Completed, "a", 0, 20 * second, "2", Created, 3},
			{Completed, "a", 0, second, "3", Duplicate, 3},
		},
		"6 OtherEndIsANewSubject": {
			{Failed, "a", 0, 0, "", Created, 1},
			{Completed, "a", 0, second, "", Created, 2},
			{Aborted, "a", 0, second, "", Created, 3},
			{Aborted, "a", 0, hour, "", Duplicate, 3},
		},
		"6 AttemptsHaveTheirOwn": {
			{Started, "a", 1, 0, "", Created, 1},
			{Failed, "a", 1, second, "", Terminated, 1},
			{Started, "a", 2, second, "", Created, 2},
			{Started, "a", 1, second, "late", OutOfOrder, 1},
			{Completed, "a", 2, second, "", Terminated, 2},
			{Failed, "a", 1, hour, "late", Duplicate, 1},
			{Completed, "a", 1, second, "late", Conflicting, 1},
		},
		"6 AttemptThatNeverEnded": {
			{Started, "a", 1, 0, "", Created, 1},
			{Started, "a", 2, second, "", Created, 2},
			{Completed, "a", 2, second, "", Terminated, 2},
			{Aborted, "a", 1, second, "", Terminated, 1},
		},
		"6 AttemptOfWhichOnlyTheEndIsReported": {
			{Failed, "a", 1, 0, "", Created, 1},
			{Completed, "a", 2, second, "", Created, 2},
		},
		"6 AttemptReportedOnOneSideOnly": {
			{Started, "a", 0, 0, "", Created, 1},
			{Completed, "a", 1, second, "", Terminated, 1},
			{Completed, "a", 0, hour, "", Duplicate, 1},
		},
	} {
		for _, kind := range []Kind{Deployment, Build} {
			t.Run(strings.ReplaceAll(name, " ", "_")+"/"+kind.String(), func(t *testing.T) {
				t.Parallel()
				l := newLedger(kind)
				var seen []uuid.UUID
				for i, step := range steps {
					l.now = l.now.Add(step.after)
					metadata := map[string]any{}
					if step.attempt > 0 {
						metadata["vi_gh_run_attempt"] = step.attempt
					}
					if step.note != "" {
						metadata["note"] = step.note
					}
					raw, err := json.Marshal(metadata)
					require.NoError(t, err)
					events := len(l.recorded)
					got, err := l.send(t, Event{Version: "1", Status: step.status, InvokeID: step.run, Metadata: raw})
					require.NoError(t, err)
					if len(seen) < step.subject {
						require.NotContains(t, seen, got.Subject.ID, "step %d creates a subject", i+1)
						seen = append(seen, got.Subject.ID)
					}
					require.Equal(t, step.effect, got.Effect, "step %d: effect", i+1)
					require.Equal(t, seen[step.subject-1], got.Subject.ID, "step %d: subject", i+1)
					require.Equal(t, step.effect != Duplicate, len(l.recorded) > events, "step %d: repeats are not recorded", i+1)
					require.NotEqual(t, uuid.Nil, got.EventID, "step %d: the event, or the one that it repeats", i+1)
				}
			})
		}
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	l := newLedger(Deployment)
	event := Event{Version: "1", Status: Completed, IdempotencyKey: "k"}
	first, err := l.send(t, event)
	require.NoError(t, err)
	l.now = l.now.Add(20 * time.Hour)
	again, err := l.send(t, event)
	require.NoError(t, err)
	require.True(t, again.IsReplay)
	require.Equal(t, first.EventID, again.EventID)
	require.Equal(t, first.Subject.ID, again.Subject.ID)
	other := event
	other.Version = "2"
	_, err = l.send(t, other)
	require.Equal(t, apperr.Invalid, apperr.CodeOf(err))
	require.Len(t, l.recorded, 1)

	l.now = l.now.Add(4 * time.Hour)
	later, err := l.send(t, other)
	require.NoError(t, err, "a key is good for a day")
	require.Equal(t, Created, later.Effect)
	require.False(t, later.IsReplay)
}

// TestRepeatsOfADeletedPair sends an event again after its product was deleted and its name has created another one.
func TestRepeatsOfADeletedPair(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]Event{
		"Fingerprint":    {Version: "1", Status: Completed, InvokeID: "a"},
		"IdempotencyKey": {Version: "1", Status: Started, IdempotencyKey: "k"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(Deployment)
			first, err := l.send(t, event)
			require.NoError(t, err)
			clear(l.names)
			clear(l.products)
			again, err := l.send(t, event)
			require.NoError(t, err)
			require.Equal(t, Created, again.Effect)
			require.False(t, again.IsReplay)
			require.NotEqual(t, first.Subject.ProductID, again.Subject.ProductID)
		})
	}
}

// TestTimes covers the times of subjects.
func TestTimes(t *testing.T) {
	t.Parallel()
	send := func(t *testing.T, l *ledger, event Event) Subject {
		t.Helper()
		got, err := l.send(t, event)
		require.NoError(t, err)
		return got.Subject
	}
	t.Run("ClientsEndIsKept", func(t *testing.T) {
		t.Parallel()
		l := newLedger(Deployment)
		got := send(t, l, Event{Version: "1", Status: Completed, CompletedAt: l.now.Add(-10 * time.Minute)})
		require.Equal(t, l.now.Add(-10*time.Minute), got.CompletedAt)
		require.Equal(t, got.CompletedAt, got.OccurredAt)
		require.Equal(t, l.now, got.CreatedAt)
	})
	t.Run("FutureIsTheReceipt", func(t *testing.T) {
		t.Parallel()
		l := newLedger(Deployment)
		require.Equal(t, l.now, send(t, l, Event{Version: "1", Status: Completed, CompletedAt: l.now.AddDate(10, 0, 0)}).CompletedAt)
		require.Equal(t, l.now.Add(4*time.Minute), send(t, l, Event{Version: "2", Status: Completed, CompletedAt: l.now.Add(4 * time.Minute)}).CompletedAt)
	})
	t.Run("EndBeforeALiveStartIsTheReceipt", func(t *testing.T) {
		t.Parallel()
		l := newLedger(Deployment)
		started := send(t, l, Event{Version: "1", Status: Started, InvokeID: "a"})
		l.now = l.now.Add(time.Minute)
		ended := send(t, l, Event{Version: "1", Status: Completed, InvokeID: "a", CompletedAt: l.now.Add(-2 * time.Minute)})
		require.Equal(t, l.now, ended.CompletedAt)
		require.Equal(t, started.StartedAt, ended.StartedAt)
		require.Equal(t, started.OccurredAt, ended.OccurredAt, "never changes")
	})
	t.Run("ClockThatJumpsBack", func(t *testing.T) {
		t.Parallel()
		l := newLedger(Deployment)
		send(t, l, Event{Version: "1", Status: Started, InvokeID: "a"})
		l.now = l.now.Add(-time.Hour)
		ended := send(t, l, Event{Version: "1", Status: Completed, InvokeID: "a"})
		require.False(t, ended.CompletedAt.Before(ended.StartedAt))
	})
	t.Run("EndReportedLateAfterALiveStartIsNoBackfill", func(t *testing.T) {
		t.Parallel()
		l := newLedger(Deployment)
		send(t, l, Event{Version: "2", Status: Started, InvokeID: "a"})
		l.now = l.now.Add(time.Minute)
		send(t, l, Event{Version: "1", Status: Completed, InvokeID: "b"})
		l.now = l.now.Add(3 * time.Hour)
		ended := send(t, l, Event{Version: "2", Status: Completed, InvokeID: "a", CompletedAt: l.now.Add(-2 * time.Hour)})
		require.Equal(t, ended.ID, l.pair().CurrentID)
	})
	t.Run("BuildsKeepTheEarliestStart", func(t *testing.T) {
		t.Parallel()
		l := newLedger(Build)
		first := l.now
		send(t, l, Event{Version: "1", Status: Started, InvokeID: "a", StartedAt: l.now})
		l.now = l.now.Add(time.Minute)
		ended := send(t, l, Event{Version: "1", Status: Completed, InvokeID: "a", StartedAt: l.now, CompletedAt: l.now})
		require.Equal(t, first, ended.StartedAt)
		l.now = l.now.Add(time.Minute)
		require.Equal(t, time.Duration(0), func() time.Duration {
			s := send(t, l, Event{Version: "2", Status: Completed, StartedAt: l.now, CompletedAt: l.now.Add(-time.Minute)})
			return s.CompletedAt.Sub(s.StartedAt)
		}(), "no negative duration")
	})
}

// TestBackfill verifies that backfilled history does not replace a later completion.
func TestBackfill(t *testing.T) {
	t.Parallel()
	l := newLedger(Deployment)
	send := func(version, run string, ago time.Duration) Subject {
		l.now = l.now.Add(time.Second)
		got, err := l.send(t, Event{Version: version, Status: Completed, InvokeID: run, CompletedAt: l.now.Add(-ago)})
		require.NoError(t, err)
		return got.Subject
	}
	older := send("1", "a", 48*time.Hour)
	require.Equal(t, older.ID, l.pair().CurrentID, "nothing else runs there")
	oldest := send("0", "b", 72*time.Hour)
	require.Equal(t, older.ID, l.pair().CurrentID)
	live := send("3", "c", 0)
	require.Equal(t, live.ID, l.pair().CurrentID)
	send("2", "d", 24*time.Hour)
	require.Equal(t, live.ID, l.pair().CurrentID)
	require.Equal(t, live.ID, l.pair().LatestID, "backfill is not opened after it")
	require.True(t, oldest.OccurredAt.Before(older.OccurredAt))
}

func TestVersionConflict(t *testing.T) {
	t.Parallel()
	l := newLedger(Build)
	long, other := strings.Repeat("ab", 20), strings.Repeat("cd", 20)
	send := func(status Status, run, sha string) error {
		l.now = l.now.Add(time.Minute)
		_, err := l.send(t, Event{Version: "1", Status: status, InvokeID: run, Details: Details{SHA: sha}})
		return err
	}
	bound := func() string {
		return l.versions[versionKey{accountID: l.account, productID: l.products["shop"], version: "1"}].SHA
	}
	require.NoError(t, send(Failed, "a", other), "a failed build binds nothing")
	require.Empty(t, bound())
	require.NoError(t, send(Completed, "b", long[:8]))
	require.Equal(t, long[:8], bound())
	require.NoError(t, send(Completed, "c", strings.ToUpper(long)))
	require.Equal(t, strings.ToUpper(long), bound(), "the long one replaces its abbreviation")
	require.NoError(t, send(Started, "d", ""), "unknown is no conflict")
	for _, status := range []Status{Pending, Started, Completed, Failed, Aborted} {
		require.Equal(t, apperr.VersionConflict, apperr.CodeOf(send(status, "e"+string(status), other)), status)
	}
	require.NoError(t, send(Completed, "c", strings.ToUpper(long)), "a repeat does not conflict with itself")
}

func TestSourceIsInherited(t *testing.T) {
	t.Parallel()
	version := Version{ID: newID(), Branch: "main", Repository: "acme/shop"}
	for name, c := range map[string]struct{ given, want Details }{
		"FromTheNewestBuild": {Details{}, Details{Branch: "main", Repository: "acme/shop"}},
		"RepositoryOfItsOwn": {Details{Repository: "acme/other"}, Details{Branch: "main", Repository: "acme/other"}},
		"BranchOfItsOwn":     {Details{Branch: "fix"}, Details{Branch: "fix"}},
	} {
		outcome, err := Apply(State{Version: version}, Event{Kind: Deployment, Status: Completed, Details: c.given}, time.Now())
		require.NoError(t, err)
		require.Equal(t, c.want, outcome.Subject.Details, name)
	}
}

func TestSoakTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	completed := map[EnvironmentType]time.Time{DevType: now.Add(-48 * time.Hour), TestType: now.Add(-6 * time.Hour)}
	for environment, want := range map[EnvironmentType]*float64{
		ProductionType: new(6.0), StagingType: new(6.0), TestType: new(48.0), DevType: nil, OtherType: nil,
	} {
		outcome, err := Apply(State{EnvironmentType: environment, Version: Version{CompletedAt: completed}}, Event{Status: Started}, now)
		require.NoError(t, err)
		require.Equal(t, want, outcome.Subject.SoakTimeHours, environment)
	}
}

// TestIsStale covers the conditions under which unfinished subjects are stale.
func TestIsStale(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		subject Subject
		want    bool
	}{
		"Fresh":              {Subject{Status: Started, LastEventAt: now.Add(-23 * time.Hour)}, false},
		"SilentForADay":      {Subject{Status: Started, LastEventAt: now.Add(-25 * time.Hour)}, true},
		"Superseded":         {Subject{Status: Started, LastEventAt: now, Superseded: true}, true},
		"Overtaken":          {Subject{Status: Started, LastEventAt: now.Add(-59 * time.Minute), Overtaken: true}, false},
		"OvertakenAndSilent": {Subject{Status: Pending, LastEventAt: now.Add(-61 * time.Minute), Overtaken: true}, true},
		"Finished":           {Subject{Status: Failed, LastEventAt: now.Add(-25 * time.Hour), Superseded: true}, false},
	} {
		require.Equal(t, c.want, c.subject.IsStale(now), name)
	}
}

// TestOpenSubjectsAreBounded starts more deployments than a pair keeps track of: the oldest are still found by their run.
func TestOpenSubjectsAreBounded(t *testing.T) {
	t.Parallel()
	l := newLedger(Deployment)
	for i := range 3 * MaxOpen {
		l.now = l.now.Add(time.Second)
		_, err := l.send(t, Event{Version: "1", Status: Started, InvokeID: strconv.Itoa(i)})
		require.NoError(t, err)
	}
	require.Len(t, l.pair().OpenIDs, MaxOpen)
	ended, err := l.send(t, Event{Version: "1", Status: Failed, InvokeID: "0"})
	require.NoError(t, err)
	require.Equal(t, Terminated, ended.Effect)
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	require.JSONEq(t, `{"a":1,"b":3,"c":4}`, string(mergeMetadata([]byte(`{"a":1,"b":2}`), []byte(`{"b":3,"c":4}`))))
	require.JSONEq(t, `{"a":1}`, string(mergeMetadata([]byte(`{"a":1}`), []byte(`{}`))))
	require.Equal(t, `{"b": 2, "a": {"c": 1}}`, string(mergeMetadata([]byte(`{"b": 2, "a": {"c": 1}}`), []byte(`{"a":{"c": 1},"b":2}`))), "nothing new")
	require.JSONEq(t, `{"a":1,"b":null}`, string(mergeMetadata([]byte(`{"a":1}`), []byte(`{"b":null}`))))
	big := fmt.Appendf(nil, `{"a":%q}`, strings.Repeat("x", maxMetadata))
	require.JSONEq(t, `{"b":1}`, string(mergeMetadata(big, []byte(`{"b":1}`))))
	event := Event{Kind: Build, ProductName: "p", Version: "1", Status: "done", Metadata: []byte(`{"preflight_status":{"x":1},"vi_gh_run_attempt":"3","a":1}`)}
	err := event.Normalize()
	require.Equal(t, apperr.Invalid, apperr.CodeOf(err))
	require.JSONEq(t, `{"vi_gh_run_attempt":"3","a":1}`, string(event.Metadata), "preflight_status is the server's own")
	require.Equal(t, int64(3), event.Attempt)
}
