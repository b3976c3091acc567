package governance

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

// refillDelay is when slots are filled again: by then, every server knows an account's first rule.
const refillDelay = 2 * time.Second

// fillSlots gives the unfinished deployments of an account slots, once a rule counts them: while there is none, starts have no slots. The
// account's governance is locked. A job does it again for the deployments that servers have started in between without knowing the rule.
func fillSlots(ctx context.Context, db *postgres.DB, rule Rule, now time.Time) error {
	if rule.Type != policy.ConcurrencyRule || rule.Mode == policy.Disabled {
		return nil
	}
	if err := db.FillSlots(ctx, rule.AccountID); err != nil {
		return postgres.Classify(err)
	}
	return enqueueJob(ctx, db, fillSlotsArgs{AccountID: rule.AccountID}, now.Add(refillDelay))
}

// fillSlotsArgs is the job that fills the slots of an account again.
type fillSlotsArgs struct {
	AccountID uuid.UUID `json:"account_id"`
}

// Kind is the name in the queue.
func (fillSlotsArgs) Kind() string { return "fill_deployment_slots" }

type fillSlotsWorker struct {
	river.WorkerDefaults[fillSlotsArgs]

	db *postgres.DB
}

// Work fills the slots under the lock of the account's governance.
func (w *fillSlotsWorker) Work(ctx context.Context, job *river.Job[fillSlotsArgs]) error {
	return w.db.WithTx(ctx, func(db *postgres.DB) error {
		if _, err := lockState(ctx, db, job.Args.AccountID); err != nil {
			return err
		}
		return postgres.Classify(db.FillSlots(ctx, job.Args.AccountID))
	})
}
