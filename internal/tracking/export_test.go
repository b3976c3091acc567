package tracking

import (
	"context"

	"github.com/versioner-io/versioner/gen/dbgen"
)

// RecordAlone records an event in a transaction of its own: what the recorder is compared with.
func (r *Recorder) RecordAlone(ctx context.Context, origin Origin, event DeploymentEvent) error {
	params, err := event.params(origin)
	if err != nil {
		return err
	}
	answers, err := r.runDeployments(ctx, []dbgen.RecordDeploymentEventParams{params})
	if err != nil {
		return err
	}
	return answers[0].err
}
