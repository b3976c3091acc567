package ingest

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// MaxOpen bounds the unfinished subjects that a pair keeps track of: clients that never report an end would otherwise make
// every event read them all. Older ones are still found by their run.
const MaxOpen = 32

// settle updates what the pair and the version share after the subject was created or changed.
func (o *Outcome) settle(state State, event Event, now time.Time) {
	subject := o.Subject
	isBackfill := o.Effect == Created && event.Status.IsTerminal() && subject.CompletedAt.Before(now.Add(-backfillAge))
	isEarlier := isEarlierAttempt(state.Run, event.Attempt)
	if o.Effect == Created && (o.Pair.LatestID == uuid.Nil || !isBackfill && !isEarlier) {
		o.Pair.LatestID = subject.ID
	}
	o.Pair.OpenIDs = openAfter(state.Pair.OpenIDs, subject)
	if event.Kind == Build {
		o.bindVersion(event)
	}
	if event.Status != Completed {
		return
	}
	o.markOvertaken(state, isBackfill)
	if event.Kind == Build {
		return
	}
	since := now
	if isBackfill {
		since = subject.CompletedAt
	}
	isOlder := isBackfill && since.Before(state.Pair.CurrentSince)
	isOfRun := isEarlier && slices.ContainsFunc(state.Run, func(s Subject) bool { return s.ID == state.Pair.CurrentID })
	if state.Pair.CurrentID == uuid.Nil || !isOlder && !isOfRun {
		o.Pair.CurrentID, o.Pair.CurrentSince = subject.ID, since
	}
	o.Version.complete(state.EnvironmentType, subject)
}

// openAfter returns the identifiers of the unfinished subjects, oldest first.
func openAfter(ids []uuid.UUID, subject Subject) []uuid.UUID {
	if subject.Status.IsTerminal() {
		return slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool { return id == subject.ID })
	}
	if slices.Contains(ids, subject.ID) {
		return ids
	}
	ids = append(slices.Clone(ids), subject.ID)
	return ids[max(0, len(ids)-MaxOpen):]
}

// markOvertaken marks the other unfinished subjects of the pair when the outcome's subject has completed: those of the same
// version, and those that were opened before it. Backfill concerns those alone that were open at its time.
func (o *Outcome) markOvertaken(state State, isBackfill bool) {
	isOlder := true // state.Open is in the order of opening; a new subject is the youngest
	for _, other := range state.Open {
		if other.ID == o.Subject.ID {
			isOlder = false
			continue
		}
		if isBackfill && other.OccurredAt.After(o.Subject.CompletedAt) {
			continue
		}
		before := other
		other.Superseded = other.Superseded || other.VersionID == o.Subject.VersionID
		other.Overtaken = other.Overtaken || isOlder
		if other.Superseded != before.Superseded || other.Overtaken != before.Overtaken {
			o.Changed = append(o.Changed, other)
		}
	}
}

// bindVersion updates the version of a build: a completed build binds the commit, a longer SHA replaces its abbreviation.
func (o *Outcome) bindVersion(event Event) {
	subject, version := o.Subject, &o.Version
	if event.Status == Completed && isSameCommit(version.SHA, subject.SHA) && len(subject.SHA) > len(version.SHA) {
		version.SHA = subject.SHA
	}
	if o.Pair.LatestID == subject.ID {
		if subject.Branch != "" {
			version.Branch = subject.Branch
		}
		if subject.Repository != "" {
			version.Repository = subject.Repository
		}
	}
	version.OccurredAt = earliest(version.OccurredAt, subject.OccurredAt)
}

// complete records the first completed deployments of the version.
func (v *Version) complete(environment EnvironmentType, subject Subject) {
	v.OccurredAt = earliest(v.OccurredAt, subject.OccurredAt)
	v.FirstCompletedAt = earliest(v.FirstCompletedAt, subject.CompletedAt)
	completed := make(map[EnvironmentType]time.Time, len(v.CompletedAt)+1)
	maps.Copy(completed, v.CompletedAt)
	completed[environment] = earliest(completed[environment], subject.CompletedAt)
	v.CompletedAt = completed
}
