package governance

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// pollInterval is how long an observation may wait.
const pollInterval = time.Second

// AddWorkers adds the workers of the jobs of deployment rules.
func AddWorkers(workers *river.Workers, pool *postgres.Pool, emailAdmins EmailAdmins, clock func() time.Time) {
	river.AddWorker(workers, &fillSlotsWorker{db: pool.DB})
	river.AddWorker(workers, &expireGrantWorker{db: pool.DB, clock: clock})
	river.AddWorker(workers, &observeWorker{db: pool.DB, clock: clock})
	river.AddWorker(workers, &usedGrantWorker{db: pool.DB, emailAdmins: emailAdmins})
}

// Queues returns the queue of the observations. The other jobs share that of notifications.
func Queues() map[string]river.QueueConfig {
	return map[string]river.QueueConfig{ingest.ObserveQueue: {MaxWorkers: 1, FetchPollInterval: pollInterval}}
}

// enqueueJob enqueues a job in the transaction, which is due at a time.
func enqueueJob(ctx context.Context, db *postgres.DB, args river.JobArgs, due time.Time) error {
	encoded, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("encode a job: %w", err)
	}
	return postgres.Classify(db.InsertGovernanceJob(ctx, dbgen.InsertGovernanceJobParams{
		Kind: args.Kind(), Queue: ingest.QueueOf(args.Kind()), Args: encoded, Metadata: telemetry.JobMetadata(ctx), DueAt: due,
	}))
}
