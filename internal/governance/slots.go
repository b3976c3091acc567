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

// fillSlotsFor gives the unfinished deployments of an account slots, once a rule counts them: starts that no rule counts have no slots. The
// account's governance is locked. A job does it again for the deployments that servers have started in between without knowing the rule.
func fillSlotsFor(ctx context.Context, db *postgres.DB, rule Rule, now time.Time) error {
	if rule.Type != policy.ConcurrencyRule || rule.Mode == policy.Disabled {
		return nil
	}
	if err := fillSlots(ctx, db, rule.AccountID); err != nil {
		return err
	}
	return enqueueJob(ctx, db, fillSlotsArgs{AccountID: rule.AccountID}, now.Add(refillDelay))
}

// fillSlots gives all unfinished deployments of an account slots, and deletes those of others. The account's governance is locked.
func fillSlots(ctx context.Context, db *postgres.DB, accountID uuid.UUID) error {
	if err := db.DeleteEndedSlots(ctx, accountID); err != nil {
		return postgres.Classify(err)
	}
	return postgres.Classify(db.FillSlots(ctx, accountID))
}

// ChangeScope runs a change of the names or type of a product or environment, after which other rules may apply to it: rules that count its
// deployments count those in progress, too. The account's governance is locked first, against starts under rules.
func ChangeScope(ctx context.Context, db *postgres.DB, accountID uuid.UUID, change func() error) error {
	if _, err := db.LockGovernanceRevisions(ctx, []uuid.UUID{accountID}); err != nil {
		return postgres.Classify(err)
	}
	if err := change(); err != nil {
		return err
	}
	isCounting, err := db.HasConcurrencyRule(ctx, accountID)
	if err != nil || !isCounting {
		return postgres.Classify(err)
	}
	return fillSlots(ctx, db, accountID)
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
		return fillSlots(ctx, db, job.Args.AccountID)
	})
}
