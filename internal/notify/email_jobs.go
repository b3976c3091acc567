package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// enqueueEmails enqueues e-mails in the transaction, by a job for each, so that one rejected address does not affect the others.
func enqueueEmails[T river.JobArgs](ctx context.Context, db *postgres.DB, jobs []T) error {
	if len(jobs) == 0 {
		return nil
	}
	args, err := encodeAll(jobs)
	if err != nil {
		return err
	}
	return postgres.Classify(db.InsertEmailJobs(ctx, dbgen.InsertEmailJobsParams{
		Kind: jobs[0].Kind(), Queue: ingest.QueueOf(jobs[0].Kind()), MaxAttempts: int16(len(retrySchedule) + 1), Metadata: telemetry.JobMetadata(ctx), Args: args,
	}))
}

// emailRetries are the defaults of a worker that sends e-mails: an unavailable mail server is retried as long as a channel is.
type emailRetries[T river.JobArgs] struct{ river.WorkerDefaults[T] }

// NextRetry returns when the next attempt is due.
func (emailRetries[T]) NextRetry(job *river.Job[T]) time.Time {
	delay, _ := nextDelay(job.Attempt, 0)
	return time.Now().Add(delay)
}

func encodeAll[T any](jobs []T) ([]json.RawMessage, error) {
	encoded := make([]json.RawMessage, len(jobs))
	for i, job := range jobs {
		text, err := json.Marshal(job)
		if err != nil {
			return nil, fmt.Errorf("encode a job: %w", err)
		}
		encoded[i] = text
	}
	return encoded, nil
}

// addressOf returns the address of a user that a job sends an e-mail to.
func (w *Worker) addressOf(ctx context.Context, accountID, userID uuid.UUID) ([]string, error) {
	user, err := w.db.GetUser(ctx, dbgen.GetUserParams{AccountID: accountID, ID: userID})
	if err = postgres.Classify(err); err != nil && !apperr.Is(err, apperr.NotFound) {
		return nil, err
	}
	to, err := parseRecipients(user.Email)
	if err != nil || w.sender.Mail == nil {
		return nil, river.JobCancel(errors.New("user has no valid e-mail address, or e-mail is not configured")) //nolint:wrapcheck // an instruction to the queue
	}
	return to, nil
}

// sendEmail makes one attempt of a job. All attempts have the same Message-ID, which the identifier of the user or channel makes unlike those of
// other servers. An e-mail that is rejected permanently is not sent again.
func (w *Worker) sendEmail(ctx context.Context, id uuid.UUID, jobID int64, to []string, message email) error {
	err := w.sender.Mail.send(ctx, uuid.NewSHA1(id, []byte(strconv.FormatInt(jobID, 10))), to, message)
	if _, permanent := isPermanentSMTPError(err); permanent {
		return river.JobCancel(err) //nolint:wrapcheck // an instruction to the queue
	}
	return err
}
