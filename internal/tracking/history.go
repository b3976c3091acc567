package tracking

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
)

// Past is an event that was received at a time gone by.
type Past[E DeploymentEvent | BuildEvent] struct {
	At     time.Time
	Origin Origin
	Event  E
}

// RecordPastDeployments records events in the transaction of db as if each had been received at its time: by the same rules
// as a Recorder, but nobody is notified. They must come in the order of their times, and be of products that nothing
// newer was told of: the last event says what is in progress. It is not for requests: a transaction of a tenant knows no
// past.
func RecordPastDeployments(ctx context.Context, db *postgres.DB, events []Past[DeploymentEvent]) ([]dbgen.RecordedDeploymentEvent, error) {
	params, times, err := paramsOfPast(events, DeploymentEvent.params)
	if err != nil {
		return nil, err
	}
	results := db.InPast(times).RecordDeploymentEvent(ctx, params)
	answers, err := collect(len(params), results.QueryRow, results.Close)
	return everyResult(answers, err)
}

// RecordPastBuilds does for builds what RecordPastDeployments does for deployments.
func RecordPastBuilds(ctx context.Context, db *postgres.DB, events []Past[BuildEvent]) ([]dbgen.RecordedBuildEvent, error) {
	params, times, err := paramsOfPast(events, BuildEvent.params)
	if err != nil {
		return nil, err
	}
	results := db.InPast(times).RecordBuildEvent(ctx, params)
	answers, err := collect(len(params), results.QueryRow, results.Close)
	return everyResult(answers, err)
}

func paramsOfPast[E DeploymentEvent | BuildEvent, P any](events []Past[E], convert func(E, Origin) (P, error)) (params []P, times []time.Time, err error) {
	params, times = make([]P, len(events)), make([]time.Time, len(events))
	for i, event := range events {
		times[i] = event.At
		if params[i], err = convert(event.Event, event.Origin); err != nil {
			return nil, nil, err
		}
	}
	return params, times, nil
}

// everyResult is all or nothing: the events share a transaction with all else.
func everyResult[R any](answers []answer[R], err error) ([]R, error) {
	results := make([]R, len(answers))
	for i, a := range answers {
		results[i] = a.result
		if err == nil {
			err = a.err
		}
	}
	return results, postgres.Classify(err)
}
