package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/tidwall/gjson"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// The status of a delivery.
const (
	statusPending   = "pending"
	statusDelivered = "delivered"
	statusFailed    = "failed"
	statusCancelled = "cancelled"
)

const (
	minSnooze         = 500 * time.Millisecond
	maxSnooze         = 30 * time.Second
	maxSnoozeDoubling = 6
)

// deliverArgs is the job of a delivery.
type deliverArgs struct {
	AccountID  uuid.UUID `json:"account_id"`
	ChannelID  uuid.UUID `json:"channel_id"`
	DeliveryID uuid.UUID `json:"delivery_id"`
	Generation int32     `json:"generation"`
}

// Kind is the name in the queue.
func (deliverArgs) Kind() string { return "deliver_notification" }

type deliverWorker struct {
	river.WorkerDefaults[deliverArgs]

	worker *Worker
}

// errPanicked is the result of an attempt that did not return.
var errPanicked = errors.New("the attempt panicked")

// Work makes an attempt if the channel's limits allow it.
func (w *deliverWorker) Work(ctx context.Context, job *river.Job[deliverArgs]) error {
	release, ok := w.worker.limiter.acquire(ctx, job.Args.ChannelID)
	if !ok {
		return river.JobSnooze(snoozeDuration(gjson.GetBytes(job.Metadata, "snoozes").Int())) //nolint:wrapcheck // an instruction to the queue
	}
	result, err := attemptResult{}, errPanicked
	defer func() { release(result, err) }()
	result, err = w.worker.attempt(ctx, job.Args)
	if err == nil && result.retryIn > 0 {
		return river.JobSnooze(result.retryIn) //nolint:wrapcheck // an instruction to the queue
	}
	return err
}

// snoozeDuration returns how long a delivery waits for a channel without a free slot: longer each time, with jitter.
func snoozeDuration(snoozes int64) time.Duration {
	pause := min(maxSnooze, minSnooze<<min(snoozes, maxSnoozeDoubling))
	return pause/2 + rand.N(pause) //nolint:gosec // jitter is not a secret
}

// attemptResult is what the queue and the limiter need to know of an attempt.
type attemptResult struct {
	retryIn   time.Duration // 0: no further attempt
	isFailure bool          // of the receiver, which may recover
	latency   time.Duration // of the receiver's response
}

// attempt makes one attempt of a delivery and records its result. An error is an internal one.
func (w *Worker) attempt(ctx context.Context, args deliverArgs) (attemptResult, error) {
	row, err := w.db.GetPendingDelivery(ctx, dbgen.GetPendingDeliveryParams{AccountID: args.AccountID, ID: args.DeliveryID, Generation: args.Generation})
	err = postgres.Classify(err)
	if apperr.Is(err, apperr.NotFound) {
		return attemptResult{}, w.cancel(ctx, args, errorChannelDisabled)
	}
	if err != nil {
		return attemptResult{}, err
	}
	message, err := w.prepare(ctx, args, row)
	if err != nil {
		return attemptResult{}, err
	}
	if row.ChannelType == TypeEmail && len(message.recipients) == 0 {
		return attemptResult{}, w.cancel(ctx, args, errorRecipientUnconfirmed)
	}
	sent := w.sender.send(ctx, message)
	if !sent.delivered && ctx.Err() != nil {
		return attemptResult{}, fmt.Errorf("interrupted attempt: %w", ctx.Err())
	}
	retryIn, err := w.recordAttempt(context.WithoutCancel(ctx), args, row, sent)
	return attemptResult{retryIn: retryIn, isFailure: !sent.delivered && !sent.permanent, latency: sent.latency}, err
}

// prepare returns the message of a delivery. An e-mail has the recipients that are confirmed at this time.
func (w *Worker) prepare(ctx context.Context, args deliverArgs, row dbgen.GetPendingDeliveryRow) (delivery, error) {
	message := delivery{id: args.DeliveryID, channelType: row.ChannelType, eventType: row.EventType}
	var err error
	if message.config, err = decryptConfig(w.keys, args.AccountID, args.ChannelID, row.EncryptedConfig); err != nil {
		return message, err
	}
	if err := json.Unmarshal(row.Payload, &message.payload); err != nil {
		return message, fmt.Errorf("decode a payload: %w", err)
	}
	if row.ChannelType == TypeEmail {
		message.recipients, err = confirmedAddresses(ctx, w.db, args.AccountID, message.config)
	}
	return message, err
}

// cancel ends a delivery that is not sent. It is no failure of the channel.
func (w *Worker) cancel(ctx context.Context, args deliverArgs, code string) error {
	return postgres.Classify(w.db.CancelDelivery(ctx, dbgen.CancelDeliveryParams{
		AccountID: args.AccountID, ID: args.DeliveryID, Generation: args.Generation, ErrorClass: code, Now: time.Now(),
	}))
}

// recordAttempt stores the result of an attempt, also while the database restarts: a delivery whose success is not recorded is
// delivered again.
func (w *Worker) recordAttempt(ctx context.Context, args deliverArgs, row dbgen.GetPendingDeliveryRow, sent outcome) (time.Duration, error) {
	status, retryIn := statusAfter(sent, int(row.AttemptsInGeneration)+1)
	now := time.Now()
	params := dbgen.RecordDeliveryAttemptParams{
		AccountID: args.AccountID, ID: args.DeliveryID, Generation: args.Generation, Status: status,
		LastAttemptAt: now, ResponseStatus: sent.responseStatus, ErrorClass: sent.errorClass, LatencyMs: sent.latencyMS(),
	}
	if due := now.Add(retryIn); status == statusPending {
		params.NextAttemptAt = &due
	} else {
		params.FinishedAt = &now
	}
	err := postgres.Retry(ctx, func(ctx context.Context) error {
		return postgres.Classify(w.db.RecordDeliveryAttempt(ctx, params))
	})
	if err != nil {
		return 0, err
	}
	w.metrics.Delivery(row.ChannelType, outcomeOf(status))
	if err := w.updateChannelHealth(ctx, args, row, sent); err != nil {
		w.logger.ErrorContext(ctx, "failed to update channel health", "channel_id", args.ChannelID, "error", err)
	}
	return retryIn, nil
}

// outcomeOf returns the outcome of an attempt for the metrics.
func outcomeOf(status string) string {
	if status == statusPending {
		return "retried"
	}
	return status
}

// statusAfter returns the status of a delivery after its nth attempt of a generation, and when the next one is due.
func statusAfter(sent outcome, attempts int) (status string, retryIn time.Duration) {
	if sent.delivered {
		return statusDelivered, 0
	}
	if !sent.permanent {
		if delay, more := nextDelay(attempts, sent.retryAfter); more {
			return statusPending, delay
		}
	}
	return statusFailed, 0
}

// enqueue inserts the jobs of deliveries.
func enqueue(ctx context.Context, db *postgres.DB, jobs ...deliverArgs) error {
	args, err := encodeAll(jobs)
	if err != nil || len(jobs) == 0 {
		return err
	}
	return postgres.Classify(db.InsertDeliveryJobs(ctx, dbgen.InsertDeliveryJobsParams{Metadata: telemetry.JobMetadata(ctx), Args: args}))
}
