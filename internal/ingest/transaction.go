package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
)

// committedMargin is how much earlier than its first try an event may have been received by the clock of the server.
const committedMargin = time.Minute

// transaction records the events of jobs of one kind: load, decide, store.
type transaction struct {
	tx       *postgres.BatchTx
	kind     Kind
	accounts []uuid.UUID
	jobs     []*job
	events   []Event
	limits   quota.Limits
	clock    func() time.Time

	governance Governance           // nil: no account has rules
	rules      map[uuid.UUID]*Rules // that an earlier run of the transaction has read
	exceptions bool                 // the facts of exceptions are read: an earlier run found that they may change a verdict

	state     *workingSet
	notified  notifiedTypes
	committed map[uuid.UUID]committedEvent // what an earlier try has recorded, by event
}

// committedEvent is an event that an earlier try of the batch has recorded.
type committedEvent struct {
	subjectID uuid.UUID
	effect    Effect
}

// maxRuns bounds the transactions of a batch: one that finds what does not exist, one that creates it, one that reads the facts of
// exceptions, one that reads the facts that an earlier one missed, and one for each time that rules are read or have changed.
const maxRuns = 7

// recording is what transactions need.
type recording struct {
	pool       *postgres.TenantPool
	limits     quota.Limits
	governance Governance // nil: no account has rules
	clock      func() time.Time
}

// runBatch records the events of the jobs in one transaction and sets their results. Names that events mention first are
// created before anything is locked: in another transaction, after the first one has found that they do not exist. So are rules read that
// this server does not know.
func (r recording) runBatch(ctx context.Context, jobs []*job, lockTimeout time.Duration) error {
	t := transaction{kind: jobs[0].event.Kind, jobs: jobs, limits: r.limits, clock: r.clock, governance: r.governance}
	for _, j := range jobs {
		t.events = append(t.events, j.event)
	}
	t.accounts = accountsOf(t.events)
	var create []Event
	err := errConcurrent // names were deleted concurrently, or rules changed each time
	for range maxRuns {
		unknown, failure := t.run(ctx, r.pool, lockTimeout, create)
		if errors.Is(failure, errRulesChanged) || errors.Is(failure, errFactsMissing) || errors.Is(failure, errNeedsExceptions) {
			continue
		}
		if failure != nil || len(unknown) == 0 {
			err = failure
			break
		}
		if create != nil {
			break
		}
		create = unknown
	}
	if postgres.IsConstraintViolation(err) { // a concurrent transaction has created the same version
		return errors.Join(errConcurrent, err)
	}
	return err
}

// run runs the transaction once. It records nothing when it returns events whose names do not exist; create are those whose
// names it creates first.
func (t *transaction) run(ctx context.Context, pool *postgres.TenantPool, lockTimeout time.Duration, create []Event) (unknown []Event, err error) {
	if t.tx, err = pool.BeginBatch(ctx, t.accounts, lockTimeout); err != nil {
		return nil, err
	}
	defer t.tx.Close(ctx)
	if len(create) > 0 {
		if err := t.lockGovernance(ctx); err != nil {
			return nil, err
		}
		now := t.clock()
		created, err := createNames(ctx, t.tx, t.kind, create, func(int) time.Time { return now })
		if err != nil {
			return nil, err
		}
		if exceeded, err := t.checkQuotas(ctx, created); err != nil || exceeded != nil {
			return nil, t.reject(exceeded, err)
		}
	}
	if unknown, err = t.load(ctx); err != nil || len(unknown) > 0 {
		return unknown, err
	}
	repeats, isRejected := t.decide()
	if t.state.governed.needsExceptions {
		t.exceptions = true
		return nil, errNeedsExceptions
	}
	if isRejected && len(create) > 0 && len(t.jobs) > 1 {
		return nil, errRejected // each event alone, so that none of the rejected ones creates a name
	}
	if isRejected && len(t.jobs) == 1 {
		return nil, nil // nothing to store, and no name to keep
	}
	return nil, t.state.store(ctx, t.tx, t.accounts, repeats, t.notified)
}

// errRejected means that an event of the batch is rejected, and that names were created for its sake.
var errRejected = errors.New("an event of the batch is rejected")

// load reads the state that the decisions depend on, under lock and in one round trip, and which event types have subscribers.
// It returns the events whose pair does not exist.
func (t *transaction) load(ctx context.Context) (unknown []Event, err error) {
	t.state, t.notified, t.committed = newWorkingSet(t.kind), make(notifiedTypes), make(map[uuid.UUID]committedEvent)
	batch := &pgx.Batch{}
	governed := t.queueGovernance(batch)
	t.state.queueLoad(batch, t.events)
	postgres.QueueRows(batch, dbgen.ListNotifiedEventTypes, struct{ Accounts []uuid.UUID }{t.accounts}, func(row dbgen.ListNotifiedEventTypesRow) {
		t.notified[notifiedType{accountID: row.AccountID, eventType: row.EventType}] = true
	})
	t.queueCommitted(batch)
	t.queueFacts(batch, governed)
	if err := t.tx.Send(ctx, batch); err != nil {
		return nil, err
	}
	if err := t.checkRules(ctx, governed); err != nil {
		return nil, err
	}
	for _, event := range t.events {
		if t.state.names[nameOf(event)] == nil {
			unknown = append(unknown, event)
		}
	}
	return unknown, nil
}

// queueCommitted looks for the events of an earlier try, which may have been committed although its answer was lost.
func (t *transaction) queueCommitted(batch *pgx.Batch) {
	var ids []uuid.UUID
	since := time.Now()
	for _, j := range t.jobs {
		if j.isRerun {
			ids = append(ids, j.event.ID)
			if j.since.Before(since) {
				since = j.since
			}
		}
	}
	if len(ids) == 0 {
		return
	}
	since = since.Add(-committedMargin)
	postgres.QueueRows(batch, dbgen.ListRecordedEvents, dbgen.ListRecordedEventsParams{Accounts: t.accounts, IDs: ids, Since: since},
		func(row dbgen.ListRecordedEventsRow) {
			t.committed[row.ID] = committedEvent{subjectID: row.SubjectID, effect: Effect(row.Effect)}
		})
	if t.kind == Build {
		postgres.QueueRows(batch, dbgen.LoadBuildsOfEvents, dbgen.LoadBuildsOfEventsParams{Accounts: t.accounts, EventIDs: ids, Since: since}, t.state.addBuild)
		return
	}
	postgres.QueueRows(batch, dbgen.LoadDeploymentsOfEvents, dbgen.LoadDeploymentsOfEventsParams{Accounts: t.accounts, EventIDs: ids, Since: since}, t.state.addDeployment)
}

// decide applies the events in the order of their arrival and sets the results of the jobs. It returns the repeats that do not
// know yet which event they repeat, and whether any event was rejected.
func (t *transaction) decide() (repeats []*Recorded, isRejected bool) {
	// Each event has a time of its own, so that the log shows the order of the effects.
	now := t.clock().Truncate(time.Microsecond)
	for i, j := range t.jobs {
		at := now.Add(time.Duration(i) * time.Microsecond)
		if !j.at.IsZero() {
			at = j.at.Truncate(time.Microsecond)
		}
		j.result = t.apply(j.event, at)
		switch {
		case IsRejection(j.result.err):
			j.result.recorded.Effect = Rejected // it is recorded
		case j.result.err != nil:
			isRejected = true
		case j.result.recorded.EventID == uuid.Nil:
			repeats = append(repeats, &j.result.recorded)
		}
	}
	return repeats, isRejected
}

func (t *transaction) apply(event Event, now time.Time) result {
	if committed, ok := t.committed[event.ID]; ok && committed.effect == Rejected {
		event.ID = newID() // it is evaluated again: as a repeat, it is rejected and records nothing
	} else if ok {
		return t.resultOf(event, committed)
	}
	event.SubjectID = newID()
	recorded, err := t.state.apply(event, now)
	return result{recorded: recorded, err: err}
}

// resultOf returns the result of an event that an earlier try has recorded.
func (t *transaction) resultOf(event Event, committed committedEvent) result {
	subject, ok := t.state.subjects[committed.subjectID]
	if !ok {
		return result{err: fmt.Errorf("the subject of the recorded event %s is gone", event.ID)}
	}
	pair := t.state.names[nameOf(event)]
	return result{recorded: Recorded{
		EventID: event.ID, Effect: committed.effect, Subject: subject.Subject,
		ProductName: pair.productName, Version: event.Version, EnvironmentName: pair.environmentName,
	}}
}
