package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/tidwall/gjson"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/postgres"
)

// What becomes of a delivery.
const (
	statusPending   = "pending"
	statusDelivered = "delivered"
	statusFailed    = "failed"
)

const (
	queue = "notifications"

	pollInterval   = 100 * time.Millisecond // a notification waits for two polls: of its fan-out job and of its delivery
	fetchCooldown  = 50 * time.Millisecond
	jobTimeout     = 30 * time.Second
	rescueAfter    = time.Minute // what a process that died was working on
	ownRetry       = time.Minute // at most, after an error of our own
	keepDone       = 10 * time.Minute
	keepDiscarded  = 7 * 24 * time.Hour
	finishPatience = 10 * time.Second // for a database that is away when there is something to note
	forgetEvery    = time.Hour

	deliveryRetention = 90 * 24 * time.Hour
)

// Engine works on the queue.
type Engine struct {
	db     *postgres.DB
	keys   *keyring.Keyring
	sender *Sender
	logger *slog.Logger
	river  *river.Client[pgx.Tx]
	lanes  *lanes
}

// NewEngine prepares the work on the queue of that database.
func NewEngine(pool *postgres.Pool, channels Channels, logger *slog.Logger) (*Engine, error) {
	engine := &Engine{db: pool.DB, keys: channels.Keys, sender: channels.Sender, logger: logger, lanes: newLanes()}
	registry := river.NewWorkers()
	river.AddWorker(registry, &fanOutWorker{db: pool.DB})
	river.AddWorker(registry, &deliverWorker{engine: engine})
	river.AddWorker(registry, &adminEmailWorker{engine: engine})
	river.AddWorker(registry, &purgeWorker{engine: engine})
	client, err := river.NewClient(pool.Queue(), &river.Config{
		Logger: slog.New(quiet{logger.Handler()}), Workers: registry,
		Queues: map[string]river.QueueConfig{queue: {MaxWorkers: workers}},
		// Nobody is notified of a job: that would slow down every event.
		PollOnly: true, FetchPollInterval: pollInterval, FetchCooldown: fetchCooldown,
		JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter, RetryPolicy: ownRetries{},
		CompletedJobRetentionPeriod: keepDone, CancelledJobRetentionPeriod: keepDone, DiscardedJobRetentionPeriod: keepDiscarded,
		ReindexerIndexNames: []string{"river_job_pkey", "river_job_prioritized_fetching_index", "river_job_state_and_finalized_at_index", "river_job_unique_idx"},
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(
			river.PeriodicInterval(forgetEvery), func() (river.JobArgs, *river.InsertOpts) { return purgeArgs{}, nil }, nil)},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the queue: %w", err)
	}
	engine.river = client
	return engine, nil
}

// Run works until ctx ends, and then for as long as patience to finish what it has begun.
func (e *Engine) Run(ctx context.Context, patience time.Duration) error {
	background := context.WithoutCancel(ctx)
	if err := e.river.Start(background); err != nil {
		return fmt.Errorf("start working: %w", err)
	}
	<-ctx.Done()
	limit, cancel := context.WithTimeout(background, patience)
	defer cancel()
	if err := e.river.Stop(limit); err != nil {
		limit, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		if err := e.river.StopAndCancel(limit); err != nil {
			return fmt.Errorf("stop working: %w", err)
		}
	}
	return nil
}

// ownRetries are for what is wrong with us: a database that is away, a key that is missing.
type ownRetries struct{}

// NextRetry grows quickly to a minute.
func (ownRetries) NextRetry(job *rivertype.JobRow) time.Time {
	pause := min(ownRetry, time.Second<<min(len(job.Errors), 6))
	return time.Now().Add(pause + rand.N(pause/4)) //nolint:gosec // spreading is no secret
}

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

	engine *Engine
}

// Work makes an attempt when it is the channel's turn.
func (w *deliverWorker) Work(ctx context.Context, job *river.Job[deliverArgs]) error {
	if !w.engine.lanes.enter(ctx, job.Args.ChannelID) {
		return river.JobSnooze(laneBusy(gjson.GetBytes(job.Metadata, "snoozes").Int())) //nolint:wrapcheck // a word to the queue
	}
	done, err := w.engine.attempt(ctx, job.Args)
	w.engine.lanes.leave(job.Args.ChannelID, done.trouble, done.took)
	switch {
	case err != nil:
		return err
	case done.again > 0:
		return river.JobSnooze(done.again) //nolint:wrapcheck // a word to the queue
	}
	return nil
}

// laneBusy is how long to wait when a channel has its hands full: longer each time, for it may have a lot to do.
func laneBusy(snoozes int64) time.Duration {
	pause := min(30*time.Second, 500*time.Millisecond<<min(snoozes, 6))
	return pause/2 + rand.N(pause) //nolint:gosec // spreading is no secret
}

// attempted is what the queue has to know of an attempt.
type attempted struct {
	again   time.Duration // until the next one; 0: there is none
	trouble bool          // the channel keeps others waiting
	took    time.Duration // for the receiver to answer
}

// attempt makes one attempt of a delivery and notes what came of it. An error is one of our own.
func (e *Engine) attempt(ctx context.Context, args deliverArgs) (attempted, error) {
	row, err := e.db.GetPendingDelivery(ctx, dbgen.GetPendingDeliveryParams{AccountID: args.AccountID, ID: args.DeliveryID, Generation: args.Generation})
	switch err := postgres.Classify(err); {
	case err != nil && apperr.CodeOf(err) == apperr.NotFound:
		err := e.db.CancelDelivery(ctx, dbgen.CancelDeliveryParams{AccountID: args.AccountID, ID: args.DeliveryID, Generation: args.Generation, Now: time.Now()})
		return attempted{}, postgres.Classify(err)
	case err != nil:
		return attempted{}, err
	}
	config, err := decryptConfig(e.keys, args.AccountID, args.ChannelID, row.EncryptedConfig)
	if err != nil {
		return attempted{}, err
	}
	var message notice
	if err := json.Unmarshal(row.Payload, &message); err != nil {
		return attempted{}, fmt.Errorf("read a notice: %w", err)
	}
	sent := e.sender.send(ctx, delivery{id: args.DeliveryID, channelType: row.ChannelType, eventType: row.EventType, notice: message, config: config})
	if !sent.delivered && ctx.Err() != nil {
		return attempted{}, fmt.Errorf("stopped in the middle of an attempt: %w", ctx.Err())
	}
	again, err := e.finish(context.WithoutCancel(ctx), args, row, sent)
	return attempted{again: again, trouble: !sent.delivered || sent.latency > slowAnswer, took: sent.latency}, err
}

// finish notes what came of an attempt, even while the database restarts: what was delivered and not noted is delivered
// again.
func (e *Engine) finish(ctx context.Context, args deliverArgs, row dbgen.GetPendingDeliveryRow, sent outcome) (time.Duration, error) {
	status := statusDelivered
	var again time.Duration
	if !sent.delivered {
		status = statusFailed
		if !sent.final {
			if delay, more := delayAfter(int(row.AttemptsInGeneration)+1, sent.retryAfter); more {
				status, again = statusPending, delay
			}
		}
	}
	now := time.Now()
	var next, finished *time.Time
	if due := now.Add(again); status == statusPending {
		next = &due
	} else {
		finished = &now
	}
	err := postgres.Retry(ctx, finishPatience, func(ctx context.Context) error {
		return postgres.Classify(e.db.RecordDeliveryAttempt(ctx, dbgen.RecordDeliveryAttemptParams{
			AccountID: args.AccountID, ID: args.DeliveryID, Generation: args.Generation, Status: status,
			LastAttemptAt: now, NextAttemptAt: next, FinishedAt: finished,
			ResponseStatus: sent.responseStatus, ErrorClass: sent.errorClass, LatencyMs: sent.latencyMS(),
		}))
	})
	if err != nil {
		return 0, err
	}
	if err := e.noteHealth(ctx, args, row, sent); err != nil {
		e.logger.ErrorContext(ctx, "the health of a channel was not noted", "channel_id", args.ChannelID, "error", err)
	}
	return again, nil
}

// noteHealth keeps since when a channel fails, and disables one that is gone or has failed for too long.
func (e *Engine) noteHealth(ctx context.Context, args deliverArgs, row dbgen.GetPendingDeliveryRow, sent outcome) error {
	switch {
	case sent.gone:
		return e.disable(ctx, args, "gone")
	case sent.delivered && row.FailingSince != nil:
		return postgres.Classify(e.db.ClearChannelFailure(ctx, dbgen.ClearChannelFailureParams{AccountID: args.AccountID, ID: args.ChannelID}))
	case sent.delivered:
		return nil
	case row.FailingSince == nil:
		return postgres.Classify(e.db.MarkChannelFailing(ctx, dbgen.MarkChannelFailingParams{AccountID: args.AccountID, ID: args.ChannelID, Now: time.Now()}))
	case time.Since(*row.FailingSince) > failingLimit:
		return e.disable(ctx, args, "failing")
	}
	return nil
}

// disable stops a channel and tells those whom it concerns: the account's other channels for people, and its admins.
func (e *Engine) disable(ctx context.Context, args deliverArgs, reason string) error {
	err := e.db.WithTx(ctx, func(db *postgres.DB) error {
		channel, err := db.DisableNotificationChannel(ctx, dbgen.DisableNotificationChannelParams{AccountID: args.AccountID, ID: args.ChannelID, Reason: &reason, Now: time.Now()})
		if err != nil {
			return postgres.Classify(err)
		}
		why := "its receiver answered that it is gone for good"
		if reason == "failing" {
			why = "every delivery to it has failed for five days"
		}
		text := fmt.Sprintf("The notification channel “%s” is disabled: %s", channel.Name, why)
		message, err := json.Marshal(notice{ID: channel.ID, OccurredAt: *channel.DisabledAt, Text: text})
		if err != nil {
			return fmt.Errorf("write a notice: %w", err)
		}
		if err := announce(ctx, db, args, message); err != nil {
			return err
		}
		if e.sender.Mail != nil {
			if err := enqueueAdminEmails(ctx, db, args.AccountID, text); err != nil {
				return err
			}
		}
		return audit.Record(ctx, db, channelChange(channel, "notification_channel.disable", "enabled"))
	})
	if apperr.CodeOf(err) == apperr.NotFound { // somebody was faster
		return nil
	}
	return err
}

// announce notifies the account's other channels for people of a disabled one.
func announce(ctx context.Context, db *postgres.DB, args deliverArgs, message []byte) error {
	channels, err := db.ListChannelsToAnnounce(ctx, dbgen.ListChannelsToAnnounceParams{AccountID: args.AccountID, ChannelID: args.ChannelID})
	if err != nil || len(channels) == 0 {
		return postgres.Classify(err)
	}
	jobs := make([]deliverArgs, len(channels))
	ids := make([]uuid.UUID, len(channels))
	for i, channel := range channels {
		ids[i] = uuid.Must(uuid.NewV7())
		jobs[i] = deliverArgs{AccountID: args.AccountID, ChannelID: channel, DeliveryID: ids[i], Generation: 1}
	}
	err = db.InsertAnnouncements(ctx, dbgen.InsertAnnouncementsParams{
		AccountID: args.AccountID, EventType: eventChannelDisabled, Payload: message, Now: time.Now(), IDs: ids, ChannelIDs: channels,
	})
	if err != nil {
		return postgres.Classify(err)
	}
	return enqueue(ctx, db, jobs...)
}

// enqueue inserts the jobs of deliveries.
func enqueue(ctx context.Context, db *postgres.DB, jobs ...deliverArgs) error {
	args, err := encodeAll(jobs)
	if err != nil || len(jobs) == 0 {
		return err
	}
	return postgres.Classify(db.InsertDeliveryJobs(ctx, args))
}

// enqueueAdminEmails inserts a job for each of the account's admins.
func enqueueAdminEmails(ctx context.Context, db *postgres.DB, accountID uuid.UUID, text string) error {
	admins, err := db.ListAdminsWithEmail(ctx, accountID)
	if err != nil || len(admins) == 0 {
		return postgres.Classify(err)
	}
	jobs := make([]adminEmailArgs, len(admins))
	for i, id := range admins {
		jobs[i] = adminEmailArgs{AccountID: accountID, UserID: id, Text: text}
	}
	args, err := encodeAll(jobs)
	if err != nil {
		return err
	}
	return postgres.Classify(db.InsertAdminEmailJobs(ctx, args))
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

// adminEmailArgs is the job of an e-mail to one admin.
type adminEmailArgs struct {
	AccountID uuid.UUID `json:"account_id"`
	UserID    uuid.UUID `json:"user_id"`
	Text      string    `json:"text"`
}

// Kind is the name in the queue.
func (adminEmailArgs) Kind() string { return "send_admin_email" }

type adminEmailWorker struct {
	river.WorkerDefaults[adminEmailArgs]

	engine *Engine
}

// Work writes to one admin.
func (w *adminEmailWorker) Work(ctx context.Context, job *river.Job[adminEmailArgs]) error {
	user, err := w.engine.db.GetUser(ctx, dbgen.GetUserParams{AccountID: job.Args.AccountID, ID: job.Args.UserID})
	if err != nil {
		return postgres.Classify(err)
	}
	to, err := parseRecipients(user.Email)
	if err != nil || w.engine.sender.Mail == nil {
		return river.JobCancel(errors.New("there is no way to write to them")) //nolint:wrapcheck // a word to the queue
	}
	message := notice{Text: job.Args.Text}.email(eventChannelDisabled)
	message.Footer = "Versioner sends this to the admins of an account."
	return w.engine.sender.Mail.send(ctx, uuid.NewSHA1(job.Args.UserID, []byte(strconv.FormatInt(job.ID, 10))), to, message)
}

type purgeArgs struct{}

// Kind is the name in the queue.
func (purgeArgs) Kind() string { return "purge_deliveries" }

// InsertOpts puts it beside the other work, once: the next hour tries again.
func (purgeArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queue, MaxAttempts: 1, Priority: 4}
}

type purgeWorker struct {
	river.WorkerDefaults[purgeArgs]

	engine *Engine
}

// Work deletes a batch at a time for as long as the job may run.
func (w *purgeWorker) Work(ctx context.Context, _ *river.Job[purgeArgs]) error {
	before := time.Now().Add(-deliveryRetention)
	for {
		deleted, err := w.engine.db.DeleteExpiredDeliveries(ctx, &before)
		if err != nil || deleted == 0 {
			return postgres.Classify(err)
		}
	}
}

// quiet keeps what the queue has to say of its own work out of the log below warnings.
type quiet struct{ slog.Handler }

// Enabled lets warnings and errors pass.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}
