package governance

import (
	"context"

	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

// fillSlots gives the unfinished deployments of an account slots, once a rule counts them: while there is none, starts have no slots. The
// account's governance is locked.
func fillSlots(ctx context.Context, db *postgres.DB, rule Rule) error {
	if rule.Type != policy.ConcurrencyRule || rule.Mode == policy.Disabled {
		return nil
	}
	return postgres.Classify(db.FillSlots(ctx, rule.AccountID))
}
