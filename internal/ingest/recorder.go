package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// errConcurrent means that another transaction has created or deleted what the batch needs: it runs again.
var errConcurrent = errors.New("a concurrent transaction changed what the batch depends on")

// errBlocked answers events whose pair another transaction has kept locked until the deadline.
var errBlocked = apperr.New(apperr.Unavailable, "another transaction holds a lock")

// Recorded is the result of an event.
type Recorded struct {
	EventID uuid.UUID // the event's own, or of the event that it repeats
	Effect  Effect
	Subject Subject
	// IsReplay is set when an event with the same Idempotency-Key was recorded before.
	IsReplay bool

	ProductName, Version, EnvironmentName string

	status    Status // of a repeat
	preflight string // what rules have decided; empty: none was evaluated
}

// Recorder records events. What it has answered without an error is committed.
type Recorder struct{ batcher *batcher }

// NewRecorder returns a recorder, which works while Run does. pool is demoted (postgres.OpenIngest). Events that would create
// products or environments beyond the limits are rejected. governance has the rules of accounts; nil: none has any.
func NewRecorder(pool *postgres.TenantPool, limits quota.Limits, governance Governance, clock func() time.Time, observed telemetry.Telemetry) *Recorder {
	return &Recorder{batcher: newBatcher(recording{pool: pool, limits: limits, governance: governance, clock: clock}.runBatch, observed)}
}

// Run records until ctx ends.
func (r *Recorder) Run(ctx context.Context) { r.batcher.Run(ctx) }

// Record records a normalized event and returns it with its deployment or build. A repeat changes nothing and returns the
// same. The error is VersionConflict for a build with another commit than the version's.
func (r *Recorder) Record(ctx context.Context, event Event) (Recorded, error) {
	event.ID = newID()
	return r.batcher.Submit(ctx, event)
}
