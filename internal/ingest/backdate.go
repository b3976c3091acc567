package ingest

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/internal/postgres"
)

// Backdated is an event of the past.
type Backdated struct {
	Event Event // normalized
	At    time.Time
}

// RecordBackdated records events in the transaction of db as if each had been received at its time: by the same rules, but
// without notifications. They come in the order of their times, and are of one kind and one account.
func RecordBackdated(ctx context.Context, db *postgres.DB, events []Backdated) ([]Recorded, error) {
	if len(events) == 0 {
		return nil, nil
	}
	t := transaction{tx: db.BatchTx(), kind: events[0].Event.Kind, clock: time.Now}
	for _, one := range events {
		one.Event.ID = newID()
		t.jobs = append(t.jobs, &job{event: one.Event, at: one.At})
		t.events = append(t.events, one.Event)
	}
	t.accounts = accountsOf(t.events)
	if _, err := createNames(ctx, t.tx, t.kind, t.events, func(event int) time.Time { return events[event].At }); err != nil {
		return nil, postgres.Classify(err)
	}
	if unknown, err := t.load(ctx); err != nil {
		return nil, postgres.Classify(err)
	} else if len(unknown) > 0 {
		return nil, errConcurrent
	}
	repeats, _ := t.decide()
	if err := t.state.store(ctx, t.tx, t.accounts, repeats, nil); err != nil {
		return nil, postgres.Classify(err)
	}
	recorded := make([]Recorded, len(t.jobs))
	for i, j := range t.jobs {
		if j.result.err != nil {
			return nil, j.result.err
		}
		recorded[i] = j.result.recorded
	}
	return recorded, nil
}
