package notify

import (
	"context"
	"errors"
	"strconv"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
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
	river.WorkerDefaults[adminEmailArgs]

	worker *Worker
}

// Work sends an e-mail to one admin.
func (w *adminEmailWorker) Work(ctx context.Context, job *river.Job[adminEmailArgs]) error {
	user, err := w.worker.db.GetUser(ctx, dbgen.GetUserParams{AccountID: job.Args.AccountID, ID: job.Args.UserID})
	if err != nil {
		return postgres.Classify(err)
	}
	to, err := parseRecipients(user.Email)
	if err != nil || w.worker.sender.Mail == nil {
		return river.JobCancel(errors.New("user has no valid e-mail address, or e-mail is not configured")) //nolint:wrapcheck // an instruction to the queue
	}
	message := payload{Text: job.Args.Text}.email(eventChannelDisabled)
	message.Text = job.Args.Details
	message.Footer = "Versioner sends this to the admins of an account."
	return w.worker.sender.Mail.send(ctx, uuid.NewSHA1(job.Args.UserID, []byte(strconv.FormatInt(job.ID, 10))), to, message)
}

// EmailAdmins sends an e-mail to each of an account's admins, by jobs of the transaction. The first text is the subject.
func EmailAdmins(ctx context.Context, db *postgres.DB, accountID uuid.UUID, text, details string) error {
	admins, err := db.ListAdminsWithEmail(ctx, accountID)
	if err != nil || len(admins) == 0 {
		return postgres.Classify(err)
	}
	jobs := make([]adminEmailArgs, len(admins))
	for i, id := range admins {
		jobs[i] = adminEmailArgs{AccountID: accountID, UserID: id, Text: text, Details: details}
	}
	args, err := encodeAll(jobs)
	if err != nil {
		return err
	}
	return postgres.Classify(db.InsertAdminEmailJobs(ctx, dbgen.InsertAdminEmailJobsParams{Metadata: telemetry.JobMetadata(ctx), Args: args}))
}

// enqueueAdminEmails sends an e-mail without details.
func enqueueAdminEmails(ctx context.Context, db *postgres.DB, accountID uuid.UUID, text string) error {
	return EmailAdmins(ctx, db, accountID, text, "")
}
