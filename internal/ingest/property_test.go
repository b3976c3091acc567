package ingest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sent is an event of a random sequence, without identifiers: two ledgers can receive the same one.
type sent struct {
	Product, Environment, Version string
	Status                        Status
	Run                           string
	Attempt                       int
	Note                          string
	After                         time.Duration
	EndAgo                        time.Duration // of completed_at; 0: not reported
	Key                           string        // Idempotency-Key
}

// drawEvents draws a sequence of few products, versions and runs, so that events meet.
func drawEvents(t *rapid.T, most int) []sent {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sent {
		return sent{
			Product:     rapid.SampledFrom([]string{"shop", "till"}).Draw(t, "product"),
			Environment: rapid.SampledFrom([]string{"production", "staging"}).Draw(t, "environment"),
			Version:     rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version"),
			Status:      rapid.SampledFrom(setOrder).Draw(t, "status"),
			Run:         rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "run"),
			Attempt:     rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "attempt"),
			Note:        rapid.SampledFrom([]string{"", "x"}).Draw(t, "note"),
			After: rapid.SampledFrom([]time.Duration{
				time.Millisecond, 5 * time.Second, time.Minute, 2 * time.Hour, 30 * time.Hour,
			}).Draw(t, "after"),
			EndAgo: rapid.SampledFrom([]time.Duration{0, 0, 0, time.Minute, 48 * time.Hour}).Draw(t, "end ago"),
		}
	}), 1, most).Draw(t, "events")
}

func (l *ledger) play(t require.TestingT, s sent) (Recorded, error) {
	l.now = l.now.Add(s.After)
	return l.sendAt(t, s, l.now)
}

func (l *ledger) sendAt(t require.TestingT, s sent, now time.Time) (Recorded, error) {
	metadata := map[string]any{"note": s.Note}
	if s.Attempt > 0 && s.Run != "" {
		metadata["vi_gh_run_attempt"] = s.Attempt
	}
	raw, err := json.Marshal(metadata)
	require.NoError(t, err)
	event := Event{ProductName: s.Product, EnvironmentName: s.Environment, Version: s.Version, Status: s.Status, InvokeID: s.Run, Metadata: raw, IdempotencyKey: s.Key}
	if s.EndAgo > 0 {
		event.CompletedAt = now.Add(-s.EndAgo)
	}
	before := l.now
	l.now = now
	defer func() { l.now = before }()
	return l.send(t, event)
}

// shape is what a ledger holds, without identifiers: subjects are numbered in the order of their creation.
func (l *ledger) shape() []string {
	number := make(map[uuid.UUID]int)
	var lines []string
	for i, s := range l.all() {
		number[s.ID] = i + 1
		lines = append(lines, fmt.Sprintf("%d %s %s seen=%s run=%s#%d %s occurred=%d started=%d completed=%d superseded=%v overtaken=%v %s",
			i+1, l.versionName(s.VersionID), s.Status, s.Seen, s.InvokeID, s.Attempt, s.Metadata,
			s.OccurredAt.UnixMicro(), unixOrZero(s.StartedAt), unixOrZero(s.CompletedAt), s.Superseded, s.Overtaken, ""))
	}
	for name, pair := range l.names {
		state := l.pairs[pair.key]
		open := make([]int, len(state.OpenIDs))
		for i, id := range state.OpenIDs {
			open[i] = number[id]
		}
		lines = append(lines, fmt.Sprintf("%s/%s current=%d since=%d latest=%d open=%v",
			name.product, name.partner, number[state.CurrentID], unixOrZero(state.CurrentSince), number[state.LatestID], open))
	}
	slices.Sort(lines)
	return lines
}

func unixOrZero(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMicro()
}

// TestNoEventIsLost: every event is a repeat of a recorded one or stands in the log once; every identifier is unique; what the
// log holds leads to a subject.
func TestNoEventIsLost(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Deployment, Build} {
		rapid.Check(t, func(rt *rapid.T) {
			l := newLedger(kind)
			repeats, events := 0, drawEvents(rt, 40)
			for _, s := range events {
				got, err := l.play(rt, s)
				require.NoError(rt, err)
				require.NotEqual(rt, uuid.Nil, got.EventID)
				if got.Effect == Duplicate {
					repeats++
				}
			}
			require.Equal(rt, len(events), len(l.recorded)+repeats)
			ids := make(map[uuid.UUID]bool)
			for _, r := range l.recorded {
				ids[r.event.ID] = true
				require.Contains(rt, l.subjects, r.subjectID)
			}
			require.Len(rt, ids, len(l.recorded))
			for id, s := range l.subjects {
				require.Equal(rt, id, s.ID)
				require.True(rt, s.Seen.Has(s.Status))
				require.Equal(rt, s.Status.IsTerminal(), !s.CompletedAt.IsZero())
				require.False(rt, !s.CompletedAt.IsZero() && s.CompletedAt.Before(s.StartedAt), "no negative duration")
			}
		})
	}
}

// TestRetryChangesNothing sends every event again at once, as a client does that has lost the answer. Late events are recorded
// again, and without a run a final status counts as a redeployment once something else was opened: there an Idempotency-Key helps.
func TestRetryChangesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Deployment, Build} {
		rapid.Check(t, func(rt *rapid.T) {
			once, twice := newLedger(kind), newLedger(kind)
			for _, s := range drawEvents(rt, 30) {
				first, err := once.play(rt, s)
				require.NoError(rt, err)
				got, err := twice.play(rt, s)
				require.NoError(rt, err)
				isLatest := twice.pairs[twice.pairOf(got.Subject)].LatestID == got.Subject.ID
				if first.Effect == OutOfOrder || first.Effect == Conflicting || s.Run == "" && !isLatest {
					continue
				}
				again, err := twice.sendAt(rt, s, twice.now)
				require.NoError(rt, err)
				require.Equal(rt, Duplicate, again.Effect)
				require.Equal(rt, got.Subject.ID, again.Subject.ID)
			}
			require.Equal(rt, once.shape(), twice.shape())
		})
	}
}

// TestReplayWithKeysChangesNothing sends any prefix of a sequence again, whose events all have an Idempotency-Key.
func TestReplayWithKeysChangesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Deployment, Build} {
		rapid.Check(t, func(rt *rapid.T) {
			l := newLedger(kind)
			events := drawEvents(rt, 30)
			first := make([]Recorded, len(events))
			for i, s := range events {
				s.Key, s.After = fmt.Sprint("key ", i), min(s.After, 30*time.Minute) // a key is valid for a day
				var err error
				first[i], err = l.play(rt, s)
				require.NoError(rt, err)
			}
			before := l.shape()
			for i, s := range events[:rapid.IntRange(1, len(events)).Draw(rt, "prefix")] {
				s.Key, s.After = fmt.Sprint("key ", i), min(s.After, 30*time.Minute)
				again, err := l.sendAt(rt, s, l.now)
				require.NoError(rt, err)
				require.True(rt, again.IsReplay)
				require.Equal(rt, first[i].EventID, again.EventID)
				require.Equal(rt, first[i].Subject.ID, again.Subject.ID)
			}
			require.Equal(rt, before, l.shape())
		})
	}
}

// TestOtherPairsDoNotMatter sends the events of several pairs interleaved, and pair by pair.
func TestOtherPairsDoNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		events := drawEvents(rt, 40)
		interleaved, apart := newLedger(Deployment), newLedger(Deployment)
		at := make([]time.Time, len(events))
		now := interleaved.now
		for i, s := range events {
			now = now.Add(s.After)
			at[i] = now
			_, err := interleaved.sendAt(rt, s, now)
			require.NoError(rt, err)
		}
		for _, product := range []string{"shop", "till"} {
			for _, environment := range []string{"production", "staging"} {
				for i, s := range events {
					if s.Product == product && s.Environment == environment {
						_, err := apart.sendAt(rt, s, at[i])
						require.NoError(rt, err)
					}
				}
			}
		}
		require.Equal(rt, interleaved.shapeByPair(), apart.shapeByPair())
	})
}

// shapeByPair is shape with subjects numbered within their pair.
func (l *ledger) shapeByPair() map[string][]string {
	shapes := make(map[string][]string)
	for name, pair := range l.names {
		state := l.pairs[pair.key]
		var lines []string
		for _, s := range l.all() {
			if l.pairOf(s) == pair.key {
				lines = append(lines, fmt.Sprintf("%s %s %s %s#%d %d current=%v latest=%v open=%v", l.versionName(s.VersionID), s.Status, s.Seen, s.InvokeID, s.Attempt,
					s.OccurredAt.UnixMicro(), state.CurrentID == s.ID, state.LatestID == s.ID, slices.Contains(state.OpenIDs, s.ID)))
			}
		}
		shapes[name.product+"/"+name.partner] = lines
	}
	return shapes
}

// TestCurrentIsTheNewestCompleted compares the current deployment with its definition: the completed one that was recorded last,
// of those that are no backfill; without any, the backfill that ended last.
func TestCurrentIsTheNewestCompleted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := newLedger(Deployment)
		current, since := make(map[string]uuid.UUID), make(map[string]time.Time)
		for _, s := range drawEvents(rt, 40) {
			got, err := l.play(rt, s)
			require.NoError(rt, err)
			isChange := got.Effect == Created || got.Effect == Progressed || got.Effect == Terminated
			if got.Subject.Status != Completed || !isChange {
				continue
			}
			pair := s.Product + "/" + s.Environment
			isOfLaterAttempt := got.Effect == Created && slices.ContainsFunc(l.all(), func(other Subject) bool {
				return other.ID == current[pair] && other.InvokeID == s.Run && s.Run != "" && other.VersionID == got.Subject.VersionID && other.Attempt > got.Subject.Attempt && got.Subject.Attempt > 0
			})
			effective := l.now
			if got.Effect == Created && got.Subject.CompletedAt.Before(l.now.Add(-time.Hour)) {
				effective = got.Subject.CompletedAt
			}
			if !effective.Before(since[pair]) && !isOfLaterAttempt {
				current[pair], since[pair] = got.Subject.ID, effective
			}
		}
		for name, pair := range l.names {
			require.Equal(rt, current[name.product+"/"+name.partner], l.pairs[pair.key].CurrentID)
		}
	})
}

// TestBuildsFollowTheSameRules sends the same events as deployments of one environment and as builds: the pair of a build is the
// version, so each version has an environment of its own.
func TestBuildsFollowTheSameRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		deployments, builds := newLedger(Deployment), newLedger(Build)
		for _, s := range drawEvents(rt, 40) {
			s.Environment = s.Version
			deployed, err := deployments.play(rt, s)
			require.NoError(rt, err)
			built, err := builds.play(rt, s)
			require.NoError(rt, err)
			require.Equal(rt, deployed.Effect, built.Effect)
			require.Equal(rt, deployed.Subject.Status, built.Subject.Status)
			require.Equal(rt, deployed.Subject.OccurredAt, built.Subject.OccurredAt)
		}
		require.Equal(rt, statusesOf(deployments.all()), statusesOf(builds.all()))
	})
}

// TestReloadedStateDecidesAlike hands the state from one working set to the next after every few events, as batches do: a batch
// of N events decides as N batches of one.
func TestReloadedStateDecidesAlike(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Deployment, Build} {
		rapid.Check(t, func(rt *rapid.T) {
			together, apart := newLedger(kind), newLedger(kind)
			for _, s := range drawEvents(rt, 40) {
				one, err := together.play(rt, s)
				require.NoError(rt, err)
				apart.workingSet = apart.reload()
				other, err := apart.play(rt, s)
				require.NoError(rt, err)
				require.Equal(rt, one.Effect, other.Effect)
			}
			require.Equal(rt, together.shape(), apart.shape())
		})
	}
}

// reload returns a working set with the rows that the store step has written, and no others.
func (l *ledger) reload() *workingSet {
	fresh := newWorkingSet(l.kind)
	fresh.names = l.names
	for key, pair := range l.pairs {
		fresh.pairs[key] = &pairState{Pair: pair.Pair}
	}
	for key, version := range l.versions {
		loaded := *version
		loaded.isNew, loaded.isDirty = false, false
		fresh.versions[key] = &loaded
	}
	for _, subject := range l.all() {
		fresh.addSubject(subject)
	}
	maps.Copy(fresh.earlier, l.earlier)
	return fresh
}
