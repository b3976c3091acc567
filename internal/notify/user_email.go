package notify

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
)

// UserEmail is an e-mail to a user about an object of the account.
type UserEmail struct {
	UserID   uuid.UUID           `json:"user_id"`
	Subject  string              `json:"subject"`
	Lines    []ingest.NoticeLine `json:"lines"`
	URL      string              `json:"url"` // of the object
	URLLabel string              `json:"url_label"`
	Footer   string              `json:"footer"` // why the user receives it
}

// userEmailArgs is the job of an e-mail to a user.
type userEmailArgs struct {
	AccountID uuid.UUID `json:"account_id"`
	Email     UserEmail `json:"email"`
}

// Kind is the name in the queue.
func (userEmailArgs) Kind() string { return "send_user_email" }

// EmailUsers sends e-mails to users of an account, by jobs of the transaction. They count towards the daily quota of notifications.
func EmailUsers(ctx context.Context, db *postgres.DB, accountID uuid.UUID, emails []UserEmail) error {
	jobs := make([]userEmailArgs, len(emails))
	for i, one := range emails {
		jobs[i] = userEmailArgs{AccountID: accountID, Email: one}
	}
	return enqueueEmails(ctx, db, jobs)
}

type userEmailWorker struct {
	emailRetries[userEmailArgs]

	worker *Worker
}

// Work sends an e-mail to a user, within the account's quota.
func (w *userEmailWorker) Work(ctx context.Context, job *river.Job[userEmailArgs]) error {
	args := job.Args.Email
	if job.Attempt == 1 {
		allowed, err := w.reserve(ctx, job.Args.AccountID)
		if err != nil {
			return err
		}
		if !allowed {
			return river.JobCancel(errors.New("daily quota of notifications reached")) //nolint:wrapcheck // an instruction to the queue
		}
	}
	message := payload{Text: args.Subject, Lines: args.Lines, SourceURL: args.URL, URLLabel: args.URLLabel}.email("")
	message.Footer = args.Footer
	return w.worker.emailUser(ctx, job.Args.AccountID, args.UserID, job.ID, message)
}

func (w *userEmailWorker) reserve(ctx context.Context, accountID uuid.UUID) (allowed bool, err error) {
	err = w.worker.db.WithTx(ctx, func(db *postgres.DB) error {
		granted, err := reserve(ctx, db, accountID, usageDelivery, 1, w.worker.deliveriesPerDay)
		if err != nil {
			return err
		}
		allowed = granted.allowed == 1
		if !granted.isFirst {
			return nil
		}
		return enqueueAdminEmails(ctx, db, accountID, quotaText(granted.limit))
	})
	return allowed, postgres.Classify(err)
}
