package notify

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/tidwall/gjson"

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
func (userEmailArgs) Kind() string { return ingest.UserEmailKind }

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

// Work sends an e-mail to a user, within the account's quota. It counts once: what fails before that is no attempt.
func (w *userEmailWorker) Work(ctx context.Context, job *river.Job[userEmailArgs]) error {
	args := job.Args.Email
	to, err := w.worker.addressOf(ctx, job.Args.AccountID, args.UserID)
	if err == nil && job.Attempt == 1 {
		err = w.count(ctx, job.Args.AccountID)
	}
	var cancelled *river.JobCancelError
	if err != nil && job.Attempt == 1 && !errors.As(err, &cancelled) {
		w.worker.logger.WarnContext(ctx, "failed to prepare an e-mail", "account_id", job.Args.AccountID, "error", err)
		return river.JobSnooze(snoozeDuration(gjson.GetBytes(job.Metadata, "snoozes").Int())) //nolint:wrapcheck // an instruction to the queue
	}
	if err != nil {
		return err
	}
	message := payload{Text: args.Subject, Lines: args.Lines, SourceURL: args.URL, URLLabel: args.URLLabel}.email("")
	message.Footer = args.Footer
	return w.worker.sendEmail(ctx, args.UserID, job.ID, to, message)
}

// count adds an e-mail to the account's usage of the day, or cancels its job.
func (w *userEmailWorker) count(ctx context.Context, accountID uuid.UUID) error {
	var granted grant
	err := w.worker.db.WithTx(ctx, func(db *postgres.DB) (err error) {
		granted, err = w.worker.quota.reserve(ctx, db, accountID, 1)
		return err
	})
	if err != nil {
		return postgres.Classify(err)
	}
	w.worker.quota.warn(ctx, accountID, granted)
	if granted.allowed == 0 {
		return river.JobCancel(errors.New("daily quota of notifications reached")) //nolint:wrapcheck // an instruction to the queue
	}
	return nil
}
