// Package telemetry holds what operators observe of a running server: metrics for Prometheus, profiles and traces. The other packages
// get it as a value in their constructors; its zero value records nothing.
package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Telemetry is passed to the constructors of what is observed.
type Telemetry struct {
	Metrics *Metrics             // nil: off
	Tracing trace.TracerProvider // nil: off
}

// Every calls fn at once and after each interval, until ctx ends.
func Every(ctx context.Context, interval time.Duration, fn func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		fn(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
