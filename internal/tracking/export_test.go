package tracking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
)

// RecordAlone records an event in a transaction of its own: what the recorder is compared with.
func (r *Recorder) RecordAlone(ctx context.Context, origin Origin, event DeploymentEvent) error {
	return r.RecordTogether(postgres.WithTenants(ctx), []Origin{origin}, []DeploymentEvent{event})
}

// RecordTogether records events in one transaction, behind row-level security only if the context says so.
func (r *Recorder) RecordTogether(ctx context.Context, origins []Origin, events []DeploymentEvent) error {
	params := make([]dbgen.RecordDeploymentEventParams, len(events))
	for i, event := range events {
		var err error
		if params[i], err = event.params(origins[i]); err != nil {
			return err
		}
	}
	locks, err := locksAhead(ctx, params, lockPatience, func(p dbgen.RecordDeploymentEventParams) uuid.UUID { return p.AccountID }, lockDeployments)
	if err != nil {
		return err
	}
	results := r.db.Ahead(locks).RecordDeploymentEvent(ctx, params)
	answers, err := collect(len(params), results.QueryRow, results.Close)
	for _, a := range answers {
		err = errors.Join(err, a.err)
	}
	return err
}

// DeploymentsTogether returns a transaction that waits very long for each lock.
func (r *Recorder) DeploymentsTogether(origin Origin, events []DeploymentEvent) (func(context.Context) error, error) {
	return together(origin, events, DeploymentEvent.params, r.runDeployments)
}

// BuildsTogether returns a transaction that waits very long for each lock.
func (r *Recorder) BuildsTogether(origin Origin, events []BuildEvent) (func(context.Context) error, error) {
	return together(origin, events, BuildEvent.params, r.runBuilds)
}

func together[E, P, R any](origin Origin, events []E, convert func(E, Origin) (P, error), run func(context.Context, []P, time.Duration) ([]answer[R], error)) (func(context.Context) error, error) {
	params := make([]P, len(events))
	for i, event := range events {
		var err error
		origin.Body = fmt.Appendf(nil, `{"event":%q}`, fmt.Sprint(event))
		if params[i], err = convert(event, origin); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		_, err := run(ctx, params, time.Minute)
		return err
	}, nil
}
