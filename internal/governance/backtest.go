package governance

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/policy"
)

// HistoryEntry is a deployment, or an attempt that rules have blocked, as it was recorded.
type HistoryEntry struct {
	ID, ProductID, EnvironmentID, VersionID uuid.UUID
	Status                                  string
	InvokeID, Holder                        string
	Attempt                                 int64      // of the run, 0 if unknown
	StartedAt                               time.Time  // or when it was reported
	CompletedAt                             *time.Time // of a final status
	LastEventAt                             time.Time
}

// isAttempt reports whether rules have blocked the entry, which therefore changed nothing.
func (e *HistoryEntry) isAttempt() bool { return e.Status == "preflight_failed" }

// PastApproval is a decision about a version, with the time of its revocation.
type PastApproval struct {
	policy.Approval

	RevokedAt *time.Time
}

// History is what the facts of past starts are rebuilt from.
type History struct {
	Entries      []HistoryEntry // in any order
	Products     map[uuid.UUID]policy.Ref
	Environments map[uuid.UUID]policy.Ref
	Versions     map[uuid.UUID]string
	Approvals    map[uuid.UUID][]PastApproval // by version
	Requests     map[uuid.UUID][]PastRequest  // by version

	newestUnknown uuid.UUID // the requests of this version and older ones are not in the history; nil: all are
}

// longestStaleAfter is the longest time without an event after which a rule still counts a deployment as in progress.
const longestStaleAfter = 10_080 * time.Minute

type pairKey struct{ product, environment uuid.UUID }

// occupant is the version that is the current one of a pair.
type occupant struct {
	version uuid.UUID
	since   time.Time
}

// placement is a version in an environment.
type placement struct{ version, environment uuid.UUID }

// replay goes through a history and rebuilds the facts of each start.
type replay struct {
	history   *History
	index     *policy.Environments
	current   map[pairKey]occupant
	runs      map[placement][]policy.Span // that have ended
	completed map[placement][]time.Time
	open      map[uuid.UUID]*HistoryEntry // started, and not ended
}

// step is the start or the end of an entry.
type step struct {
	at    time.Time
	isEnd bool
	entry *HistoryEntry
}

// replayStarts calls visit for each start at or after from, in order, with the facts of the time, until visit returns false.
func replayStarts(history *History, from time.Time, visit func(entry *HistoryEntry, facts policy.Facts) bool) {
	r := replay{
		history: history, current: make(map[pairKey]occupant), runs: make(map[placement][]policy.Span), completed: make(map[placement][]time.Time),
		open: make(map[uuid.UUID]*HistoryEntry),
	}
	environments := make([]policy.Ref, 0, len(history.Environments))
	for _, environment := range history.Environments {
		environments = append(environments, environment)
	}
	r.index = policy.NewEnvironments(environments)
	for _, next := range r.steps() {
		if next.isEnd {
			r.end(next)
			continue
		}
		if !next.at.Before(from) && !visit(next.entry, r.facts(next)) {
			return
		}
		if !next.entry.isAttempt() {
			r.open[next.entry.ID] = next.entry
		}
	}
}

// steps returns the starts and ends in order. At one time, ends come first: a deployment that has ended is not in progress.
func (r *replay) steps() []step {
	steps := make([]step, 0, 2*len(r.history.Entries))
	for i := range r.history.Entries {
		entry := &r.history.Entries[i]
		if entry.Status == "pending" {
			continue
		}
		steps = append(steps, step{at: entry.StartedAt, entry: entry})
		if entry.CompletedAt != nil && !entry.isAttempt() {
			at := *entry.CompletedAt
			if at.Before(entry.StartedAt) {
				at = entry.StartedAt
			}
			steps = append(steps, step{at: at, isEnd: true, entry: entry})
		}
	}
	rank := func(s step) int {
		// A deployment that was reported at its end alone starts and ends at one time: it ends after its own start.
		if s.isEnd && s.at.After(s.entry.StartedAt) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(steps, func(a, b step) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(rank(a), rank(b)), slices.Compare(a.entry.ID[:], b.entry.ID[:]))
	})
	return steps
}

// end ends a deployment. One that has completed makes its version the current one of the pair.
func (r *replay) end(s step) {
	delete(r.open, s.entry.ID)
	if s.entry.Status != "completed" {
		return
	}
	pair, place := pairKey{s.entry.ProductID, s.entry.EnvironmentID}, placement{s.entry.VersionID, s.entry.EnvironmentID}
	r.completed[place] = append(r.completed[place], s.at)
	before, isOccupied := r.current[pair]
	if isOccupied && before.version == s.entry.VersionID {
		return // a redeployment does not interrupt
	}
	if isOccupied {
		former := placement{before.version, s.entry.EnvironmentID}
		r.runs[former] = append(r.runs[former], policy.Span{From: before.since, Until: s.at})
	}
	r.current[pair] = occupant{version: s.entry.VersionID, since: s.at}
}

// facts returns the facts of a start at its time.
func (r *replay) facts(s step) policy.Facts {
	entry := s.entry
	f := policy.Facts{
		Product: r.history.Products[entry.ProductID], Environment: r.history.Environments[entry.EnvironmentID],
		Version: policy.Version{ID: entry.VersionID, Name: r.history.Versions[entry.VersionID]}, Environments: r.index,
		Runs: make(map[uuid.UUID][]policy.Span), Completed: make(map[uuid.UUID][]time.Time),
	}
	if current, isOccupied := r.current[pairKey{entry.ProductID, entry.EnvironmentID}]; isOccupied {
		f.Current = &current.version
	}
	for id := range r.history.Environments {
		place := placement{entry.VersionID, id}
		if times := r.completed[place]; len(times) > 0 {
			f.Completed[id] = times
		}
		runs := r.runs[place]
		if current, isOccupied := r.current[pairKey{entry.ProductID, id}]; isOccupied && current.version == entry.VersionID {
			runs = append(slices.Clip(runs), policy.Span{From: current.since})
		}
		if len(runs) > 0 {
			f.Runs[id] = runs
		}
	}
	for id, other := range r.open {
		if s.at.Sub(other.LastEventAt) > longestStaleAfter {
			delete(r.open, id) // no rule counts it any more
			continue
		}
		last := other.LastEventAt
		if last.After(s.at) {
			last = s.at
		}
		f.Slots = append(f.Slots, policy.Slot{
			DeploymentID: other.ID, Product: r.history.Products[other.ProductID], Environment: r.history.Environments[other.EnvironmentID], VersionID: other.VersionID,
			InvokeID: other.InvokeID, Attempt: other.Attempt, Holder: other.Holder, StartedAt: other.StartedAt, LastEventAt: last,
		})
	}
	for _, approval := range r.history.Approvals[entry.VersionID] {
		if approval.GivenAt.After(s.at) {
			continue
		}
		past := approval.Approval
		past.Revoked = approval.RevokedAt != nil && !approval.RevokedAt.After(s.at)
		f.Approvals = append(f.Approvals, past)
	}
	for _, request := range r.history.Requests[entry.VersionID] {
		if !request.CreatedAt.After(s.at) {
			f.Requests = append(f.Requests, request.at(s.at, entry.VersionID))
		}
	}
	return f
}
