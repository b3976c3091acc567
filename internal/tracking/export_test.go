package tracking

import (
	"context"
	"errors"

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
	results := r.db.RecordDeploymentEvent(ctx, params)
	answers, err := collect(len(params), results.QueryRow, results.Close)
	for _, a := range answers {
		err = errors.Join(err, a.err)
	}
	return err
}
