package ingest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
)

// The periods of the rules.
const (
	repeatWithoutRun = 3 * time.Minute  // in which a byte-equal terminal event without a run is a repeat
	repeatOfRun      = 10 * time.Second // in which a byte-equal terminal event of a run is a repeat, regardless of the events between
	silentLimit      = 24 * time.Hour   // after which an unfinished subject without events is stale
	overtakenLimit   = time.Hour        // after which an unfinished subject is stale if a later one has completed
	futureLimit      = 5 * time.Minute  // by which a client's clock may be ahead
	backfillAge      = time.Hour        // after which an end that is reported alone is backfill
)

// Effect is what an event did to its subject.
type Effect string

// The effects. docs/state-machine.md has the diagram.
const (
	Created     Effect = "created"      // a new subject: nothing matched, or the run was started or ended again
	Progressed  Effect = "progressed"   // the unfinished subject moved from pending to started
	Terminated  Effect = "terminated"   // the unfinished subject reached its end
	Duplicate   Effect = "duplicate"    // a repeat: nothing is recorded
	OutOfOrder  Effect = "out_of_order" // a later status overtook it: recorded in the log, changes nothing
	Conflicting Effect = "conflicting"  // the earlier attempt ended otherwise: recorded in the log, changes nothing
	Rejected    Effect = "rejected"     // a start that rules block: recorded in the log, and as an attempt
)

// Subject is a deployment or a build: what the events of one run add up to.
type Subject struct {
	ID                                             uuid.UUID
	AccountID, ProductID, VersionID, EnvironmentID uuid.UUID

	Status   Status
	Seen     StatusSet // every status that events have reported, in whatever order
	InvokeID string
	Attempt  int64
	Details
	SoakTimeHours *float64

	OccurredAt  time.Time // the live start, or the end if nothing else was reported; never changes
	StartedAt   time.Time // zero: never started
	CompletedAt time.Time // zero: unfinished
	LastEventAt time.Time
	Superseded  bool // the same version has completed in the pair since, in another subject
	Overtaken   bool // a subject of the pair that was opened later has completed
	Metadata    json.RawMessage
	CreatedAt   time.Time

	Rejections          int       // of an attempt: how often its start was rejected
	LastRejectedAt      time.Time // zero: it is no attempt
	PreviousAttemptID   uuid.UUID // of a deployment that was rejected before; nil: none
	DeploymentRequestID uuid.UUID // that named the version and environment at the start; nil: none
}

// IsStale reports whether an unfinished subject no longer counts as in progress.
func (s Subject) IsStale(now time.Time) bool {
	silence := now.Sub(s.LastEventAt)
	return !s.Status.IsTerminal() && (s.Superseded || silence > silentLimit || s.Overtaken && silence > overtakenLimit)
}

// Pair is the state that the events of one product and environment (builds: product and version) share.
type Pair struct {
	CurrentID    uuid.UUID // the deployment that is live; nil: none. Builds have none
	CurrentSince time.Time
	LatestID     uuid.UUID   // the subject that was opened last; nil: none
	OpenIDs      []uuid.UUID // the unfinished subjects, oldest first
}

// Version is the state of an event's version. Zero times are unknown.
type Version struct {
	ID                 uuid.UUID
	SHA                string // bound by completed builds
	Branch, Repository string // of the newest build

	OccurredAt       time.Time // of the first build or completed deployment
	FirstCompletedAt time.Time // of a deployment, anywhere
	CompletedAt      map[EnvironmentType]time.Time
}

// Earlier is a recorded event with the same fingerprint or Idempotency-Key.
type Earlier struct {
	EventID     uuid.UUID
	ReceivedAt  time.Time
	RequestHash []byte  // of the request with the key; nil for fingerprints
	Subject     Subject // as it is now
}

// State is everything that the decision on an event depends on.
type State struct {
	ProductID, EnvironmentID uuid.UUID
	EnvironmentType          EnvironmentType
	Pair                     Pair
	Version                  Version
	Open                     []Subject // the unfinished subjects of the pair, oldest first
	Run                      []Subject // the subjects of the event's run and version in the pair, newest first
	Fingerprint, Key         *Earlier  // nil: unknown
}

// contains reports whether a subject is one of the pair. The names of a deleted product or environment belong to another pair
// when an event mentions them again.
func (s State) contains(subject Subject) bool {
	return subject.ProductID == s.ProductID && subject.EnvironmentID == s.EnvironmentID
}

// Outcome is the decision: the state afterwards.
type Outcome struct {
	Effect   Effect
	IsReplay bool      // the Idempotency-Key is known
	EventID  uuid.UUID // of the recorded event: the event's own, or the one that it repeats; nil: of a repeat, not known here
	Subject  Subject
	Changed  []Subject // other subjects that the event has changed
	Pair     Pair
	Version  Version
}

// Apply decides the effect of an event (docs/state-machine.md has the rules). It depends on its arguments only. The error is
// VersionConflict for a build with another commit than the version's, and Invalid for a reused Idempotency-Key.
func Apply(state State, event Event, now time.Time) (Outcome, error) {
	if key := state.Key; key != nil && now.Sub(key.ReceivedAt) < fingerprintRetention {
		switch {
		case !slices.Equal(key.RequestHash, event.Fingerprint[:]):
			return Outcome{}, errKeyReused()
		case state.contains(key.Subject):
			outcome := duplicateOf(state, *key)
			outcome.IsReplay = true
			return outcome, nil
		}
	}
	matched := match(state, event, now)
	if isRepeat(state, event, matched, now) {
		return duplicateOf(state, *state.Fingerprint), nil
	}
	effect := transition(state, event, matched)
	if event.Kind == Build && !isSameCommit(state.Version.SHA, event.SHA) && (effect != Duplicate || !isSameCommit(matched.SHA, event.SHA)) {
		return Outcome{}, apperr.New(apperr.VersionConflict, "Version "+event.Version+" already exists with different SHA")
	}
	outcome := Outcome{Effect: effect, EventID: event.ID, Pair: state.Pair, Version: state.Version}
	switch effect {
	case Created:
		outcome.Subject = open(state, event, now)
	case Progressed, Terminated:
		outcome.Subject = advance(*matched, state, event, now)
	case OutOfOrder, Conflicting:
		outcome.Subject = *matched
		outcome.Subject.Seen = matched.Seen.With(event.Status)
		return outcome, nil
	case Duplicate:
		return duplicateOf(state, Earlier{Subject: *matched}), nil
	case Rejected: // by rules, after this
	}
	outcome.settle(state, event, now)
	return outcome, nil
}

func errKeyReused() error {
	return apperr.NewInvalid(apperr.Field{
		Loc: []any{"header", "Idempotency-Key"}, Msg: "Idempotency-Key was already used with a different request", Type: "value_error.idempotency_key",
	})
}

func duplicateOf(state State, earlier Earlier) Outcome {
	return Outcome{Effect: Duplicate, EventID: earlier.EventID, Subject: earlier.Subject, Pair: state.Pair, Version: state.Version}
}

// match returns the subject that the event belongs to, nil if there is none: the newest of the same run and attempt, else an
// unfinished one of the version where one side reports no run. A start without a run does not continue what has been silent
// for a day.
func match(state State, event Event, now time.Time) *Subject {
	if event.InvokeID != "" {
		same := newestOfRun(state.Run, event.Attempt)
		if same != nil || isEarlierAttempt(state.Run, event.Attempt) {
			return same // an earlier attempt has a record of its own
		}
	}
	for i := range slices.Backward(state.Open) {
		open := &state.Open[i]
		switch {
		case open.VersionID != state.Version.ID || open.InvokeID != "" && event.InvokeID != "":
		case !event.Status.IsTerminal() && now.Sub(open.LastEventAt) > silentLimit:
		default:
			return open
		}
	}
	return nil
}

// newestOfRun prefers the same attempt to one that is not reported on one side.
func newestOfRun(run []Subject, attempt int64) *Subject {
	for i := range run {
		if run[i].Attempt == attempt {
			return &run[i]
		}
	}
	for i := range run {
		if run[i].Attempt == 0 || attempt == 0 {
			return &run[i]
		}
	}
	return nil
}

// isRepeat reports whether a terminal event is the same one sent again rather than a new one that is equal.
// One that ends an unfinished re-run of its own is new.
func isRepeat(state State, event Event, matched *Subject, now time.Time) bool {
	earlier := state.Fingerprint
	if earlier == nil || !event.Status.IsTerminal() || !state.contains(earlier.Subject) {
		return false
	}
	age := now.Sub(earlier.ReceivedAt)
	if event.InvokeID == "" {
		return age <= repeatWithoutRun && state.Pair.LatestID == earlier.Subject.ID
	}
	endsRerun := matched != nil && !matched.Status.IsTerminal() && matched.ID != earlier.Subject.ID
	return age <= repeatOfRun && !endsRerun
}

// transition is the state machine: what an event does to the subject that it matched.
func transition(state State, event Event, matched *Subject) Effect {
	if matched == nil {
		return Created
	}
	isTerminal, isSeen := event.Status.IsTerminal(), matched.Seen.Has(event.Status)
	if !matched.Status.IsTerminal() {
		switch {
		case isTerminal:
			return Terminated
		case isSeen:
			return Duplicate
		case matched.Status == Started:
			return OutOfOrder
		default:
			return Progressed
		}
	}
	isEarlierAttempt := isEarlierAttempt(state.Run, event.Attempt)
	switch {
	case !isTerminal && (isEarlierAttempt || !isSeen):
		return OutOfOrder
	case !isTerminal:
		return Created // the run was started again
	case isEarlierAttempt && event.Status == matched.Status:
		return Duplicate
	case isEarlierAttempt:
		return Conflicting
	case event.Status != matched.Status:
		return Created // the retried job ended otherwise
	case state.Pair.LatestID == matched.ID:
		return Duplicate
	default:
		return Created // rolled back, by running the former run again
	}
}

// isEarlierAttempt reports whether the run is known to have a later attempt.
func isEarlierAttempt(run []Subject, attempt int64) bool {
	return attempt > 0 && slices.ContainsFunc(run, func(s Subject) bool { return s.Attempt > attempt })
}

// open returns the subject that an event creates.
func open(state State, event Event, now time.Time) Subject {
	subject := Subject{
		ID: event.SubjectID, AccountID: event.AccountID, ProductID: state.ProductID, VersionID: state.Version.ID, EnvironmentID: state.EnvironmentID,
		Status: event.Status, Seen: StatusSet(0).With(event.Status), InvokeID: event.InvokeID, Attempt: event.Attempt, Details: event.Details,
		OccurredAt: now, LastEventAt: now, CreatedAt: now, Metadata: event.Metadata,
		Superseded: !event.Status.IsTerminal() && isEarlierAttempt(state.Run, event.Attempt),
	}
	if event.Status.IsTerminal() {
		subject.CompletedAt = completedAt(event, now, time.Time{})
		subject.OccurredAt = subject.CompletedAt
	}
	subject.setStart(event, now)
	subject.inheritSource(event.Kind, state.Version)
	if event.Kind == Deployment {
		subject.SoakTimeHours = soakTime(state, subject.OccurredAt)
	}
	return subject
}

// advance returns the subject after an event that moves it on.
func advance(subject Subject, state State, event Event, now time.Time) Subject {
	now = later(now, subject.LastEventAt) // the clock may have jumped back
	subject.Status, subject.Seen, subject.LastEventAt = event.Status, subject.Seen.With(event.Status), now
	if subject.InvokeID == "" {
		subject.InvokeID = event.InvokeID
	}
	if subject.Attempt == 0 {
		subject.Attempt = event.Attempt
	}
	subject.Details = subject.merge(event.Details)
	subject.Metadata = mergeMetadata(subject.Metadata, event.Metadata)
	if event.Status.IsTerminal() {
		subject.CompletedAt = completedAt(event, now, subject.OccurredAt)
	}
	subject.setStart(event, now)
	subject.inheritSource(event.Kind, state.Version)
	return subject
}

// completedAt is the client's time unless it lies before a start that was received live, or too far in the future.
func completedAt(event Event, now, liveStart time.Time) time.Time {
	end := event.CompletedAt
	if end.IsZero() || end.Before(liveStart) || end.After(now.Add(futureLimit)) {
		return now
	}
	return end
}

// setStart sets the start: the server's clock at the first start; of builds the earliest that was reported, too. There is no
// negative duration.
func (s *Subject) setStart(event Event, now time.Time) {
	if event.Status == Started && s.StartedAt.IsZero() {
		s.StartedAt = now
	}
	reported := event.StartedAt
	if event.Kind == Build && !reported.IsZero() && !reported.After(now.Add(futureLimit)) && (s.StartedAt.IsZero() || reported.Before(s.StartedAt)) {
		s.StartedAt = reported
	}
	if !s.CompletedAt.IsZero() && s.StartedAt.After(s.CompletedAt) {
		s.StartedAt = s.CompletedAt
	}
}

// inheritSource gives a deployment without a branch those of the newest build of its version.
func (s *Subject) inheritSource(kind Kind, version Version) {
	if kind == Build || s.Branch != "" {
		return
	}
	s.Branch = version.Branch
	if s.Repository == "" {
		s.Repository = version.Repository
	}
}

// soakTime returns the hours since the version completed first in the nearest lower type of environment; nil: it never did.
func soakTime(state State, at time.Time) *float64 {
	stages := []EnvironmentType{DevType, TestType, StagingType, ProductionType}
	for i := slices.Index(stages, state.EnvironmentType) - 1; i >= 0; i-- {
		completed, ok := state.Version.CompletedAt[stages[i]]
		if ok && !completed.After(at) {
			hours := at.Sub(completed).Hours()
			return &hours
		}
	}
	return nil
}

// isSameCommit reports whether two commit identifiers can name the same commit: one is unknown, they are equal but for case,
// or one abbreviates the other to no fewer than the four characters that Git accepts.
func isSameCommit(one, other string) bool {
	if one == "" || other == "" {
		return true
	}
	n := min(len(one), len(other))
	return strings.EqualFold(one, other) || n >= 4 && strings.EqualFold(one[:n], other[:n])
}

func earliest(one, other time.Time) time.Time {
	if one.IsZero() || !other.IsZero() && other.Before(one) {
		return other
	}
	return one
}

func later(one, other time.Time) time.Time {
	if other.After(one) {
		return other
	}
	return one
}
