package governance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// expireGrantArgs is the job that ends a grant which was not used or confirmed in time.
type expireGrantArgs struct {
	AccountID uuid.UUID `json:"account_id"`
	GrantID   uuid.UUID `json:"grant_id"`
}

// Kind is the name in the queue.
func (expireGrantArgs) Kind() string { return "expire_break_glass_grant" }

// expireLater enqueues the end of a grant.
func expireLater(ctx context.Context, db *postgres.DB, grant dbgen.BreakGlassGrant) error {
	due := grant.ExpiresAt
	if grant.Status == grantAwaiting {
		due = grant.ConfirmUntil
	}
	return enqueueJob(ctx, db, expireGrantArgs{AccountID: grant.AccountID, GrantID: grant.ID}, *due)
}

type expireGrantWorker struct {
	river.WorkerDefaults[expireGrantArgs]

	db    *postgres.DB
	clock func() time.Time
}

var errNotExpired = errors.New("the grant has not expired by the clock of this server")

// Work stores that a grant has expired, and notifies of it.
func (w *expireGrantWorker) Work(ctx context.Context, job *river.Job[expireGrantArgs]) error {
	now := w.clock()
	err := Grants{DB: w.db}.change(ctx, job.Args.AccountID, job.Args.GrantID, "break_glass_grant.expire", "expired", Actor{}, func(grant *dbgen.BreakGlassGrant) error {
		if grant.Status != grantAwaiting && grant.Status != grantActive {
			return river.JobCancel(errors.New("the grant has ended"))
		}
		if GrantStatus(*grant, now) != grantExpired {
			if grant.Status == grantActive && grant.ConfirmedAt != nil && job.ScheduledAt.Before(*grant.ExpiresAt) {
				return river.JobCancel(errors.New("the grant was confirmed")) // another job ends it
			}
			return errNotExpired
		}
		grant.Status = grantExpired
		return nil
	}, now)
	if apperr.Is(err, apperr.NotFound) { // the account has moved
		return river.JobCancel(err) //nolint:wrapcheck // an instruction to the queue
	}
	return err
}

type usedGrantWorker struct {
	river.WorkerDefaults[ingest.UsedGrant]

	db          *postgres.DB
	emailAdmins EmailAdmins
}

// Work records in the audit log that a deployment has used a grant, notifies subscribers and sends an e-mail to the admins.
func (w *usedGrantWorker) Work(ctx context.Context, job *river.Job[ingest.UsedGrant]) error {
	err := w.db.WithTx(ctx, func(db *postgres.DB) error { return w.record(ctx, db, job.Args) })
	if apperr.Is(err, apperr.NotFound) { // the account has moved
		return river.JobCancel(err) //nolint:wrapcheck // an instruction to the queue
	}
	return err
}

const useAction = "break_glass_grant.use"

// record does it once for a grant, which it locks against the same job.
func (w *usedGrantWorker) record(ctx context.Context, db *postgres.DB, used ingest.UsedGrant) error {
	grant, err := db.GetBreakGlassGrantForUpdate(ctx, dbgen.GetBreakGlassGrantForUpdateParams{AccountID: used.AccountID, ID: used.GrantID})
	if err != nil {
		return postgres.Classify(err)
	}
	recorded, err := db.CountAuditEntries(ctx, dbgen.CountAuditEntriesParams{AccountID: used.AccountID, ObjectID: used.GrantID, Action: useAction})
	if err != nil || recorded > 0 {
		return postgres.Classify(err)
	}
	row := dbgen.GetBreakGlassGrantRow{BreakGlassGrant: grant, ProductName: used.Product, EnvironmentName: used.Environment}
	text := fmt.Sprintf("Break-glass grant for %s %s in %s was used", used.Product, grant.Version, used.Environment)
	details := fmt.Sprintf("The deployment started although deployment rules block it. Another user should review it.\n\nDeployed by: %s\nReason: %s", used.Deployer, grant.Reason)
	if err := w.emailAdmins(ctx, db, used.AccountID, text, details); err != nil {
		return err
	}
	if err := notifyOfGrant(ctx, db, row, "used", ptr.NonZero(used.Deployer), used.At); err != nil {
		return err
	}
	actor := audit.Command("deployment")
	actor.Credential, actor.At = "API key "+used.APIKeyID.String(), used.At
	before := grantMembers(grant)
	for i := range before {
		if before[i].Name == "status" {
			before[i].Value = grantActive
		}
	}
	return audit.Record(audit.WithActor(ctx, actor), db, grantChange(grant, useAction, audit.Compare(before, grantMembers(grant))))
}
