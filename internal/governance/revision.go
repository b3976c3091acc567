package governance

import (
	"context"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
)

// LockState locks the account's governance against other changes and starts of deployments under rules, until the transaction ends. The
// state has the settings.
func LockState(ctx context.Context, db *postgres.DB, accountID uuid.UUID) (dbgen.GovernanceState, error) {
	return lockState(ctx, db, accountID)
}

// IncrementRevision makes a change of what starts of deployments depend on apply from its commit. The transaction has locked the state.
func (a Announcer) IncrementRevision(ctx context.Context, db *postgres.DB, accountID uuid.UUID) error {
	if err := db.IncrementGovernanceRevision(ctx, accountID); err != nil {
		return postgres.Classify(err)
	}
	a.changed(ctx, db, accountID)
	return nil
}
