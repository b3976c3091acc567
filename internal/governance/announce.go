package governance

import (
	"context"
	"log/slog"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/postgres"
)

// Announcer makes every server compare the revision of an account's rules at once. When it fails, servers notice the change with the
// account's next start of a deployment; only an account's first rule needs it.
type Announcer struct {
	Pool   *postgres.TenantPool
	Logger *slog.Logger
}

// changed announces a change of an account once it is committed.
func (a Announcer) changed(ctx context.Context, db *postgres.DB, accountID uuid.UUID) {
	if a.Pool == nil {
		return
	}
	db.AfterCommit(ctx, func(ctx context.Context) {
		if err := a.Pool.Tenant(accountID).NotifyGovernanceChange(ctx, accountID); err != nil {
			a.Logger.WarnContext(ctx, "failed to announce a change of rules", "account_id", accountID, "error", err)
		}
	})
}
