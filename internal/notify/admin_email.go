package notify

import (
	"context"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/internal/postgres"
)

// adminEmailArgs is the job of an e-mail to one admin.
type adminEmailArgs struct {
	AccountID uuid.UUID `json:"account_id"`
	UserID    uuid.UUID `json:"user_id"`
	Text      string    `json:"text"`
	Details   string    `json:"details,omitempty"`
}

// Kind is the name in the queue.
func (adminEmailArgs) Kind() string { return "send_admin_email" }

type adminEmailWorker struct {
	emailRetries[adminEmailArgs]

	worker *Worker
}

// Work sends an e-mail to one admin.
func (w *adminEmailWorker) Work(ctx context.Context, job *river.Job[adminEmailArgs]) error {
	to, err := w.worker.addressOf(ctx, job.Args.AccountID, job.Args.UserID)
	if err != nil {
		return err
	}
	message := payload{Text: job.Args.Text}.email(eventChannelDisabled)
	message.Text = job.Args.Details
	message.Footer = "Versioner sends this to the admins of an account."
	return w.worker.sendEmail(ctx, job.Args.UserID, job.ID, to, message)
}

// EmailAdmins sends an e-mail to each of an account's admins, by jobs of the transaction. The first text is the subject.
func EmailAdmins(ctx context.Context, db *postgres.DB, accountID uuid.UUID, text, details string) error {
	admins, err := db.ListAdminsWithEmail(ctx, accountID)
	if err != nil {
		return postgres.Classify(err)
	}
	jobs := make([]adminEmailArgs, len(admins))
	for i, id := range admins {
		jobs[i] = adminEmailArgs{AccountID: accountID, UserID: id, Text: text, Details: details}
	}
	return enqueueEmails(ctx, db, jobs)
}

// enqueueAdminEmails sends an e-mail without details.
func enqueueAdminEmails(ctx context.Context, db *postgres.DB, accountID uuid.UUID, text string) error {
	return EmailAdmins(ctx, db, accountID, text, "")
}
