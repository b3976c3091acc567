package notify

import (
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

const (
	queue = "notifications"

	// maxWorkers is how many jobs one process runs concurrently. Most of them wait for a receiver.
	maxWorkers = 256

	// maxEmailWorkers is how many e-mails to users one process sends concurrently.
	maxEmailWorkers = channelConcurrency

	pollInterval  = 100 * time.Millisecond // a notification waits for two polls: of its fan-out job and of its delivery
	fetchCooldown = 50 * time.Millisecond
)

// Worker runs the jobs of notifications.
type Worker struct {
	db      *postgres.DB
	keys    *keyring.Keyring
	sender  *Sender
	logger  *slog.Logger
	metrics *telemetry.Metrics
	limiter *channelLimiter

	quota     deliveryQuota
	publicURL string
}

// NewWorker returns a worker for the queue of that database.
func NewWorker(pool *postgres.Pool, channels Channels, logger *slog.Logger, metrics *telemetry.Metrics) *Worker {
	return &Worker{
		db: pool.DB, keys: channels.Keys, sender: channels.Sender, logger: logger, metrics: metrics, limiter: newChannelLimiter(),
		quota:     deliveryQuota{perDay: channels.DeliveriesPerDay, hasEmail: channels.Sender.Mail != nil, logger: logger},
		publicURL: channels.PublicURL,
	}
}

// Kinds returns the kinds of jobs that the worker runs.
func (w *Worker) Kinds() *river.Workers {
	kinds := river.NewWorkers()
	river.AddWorker(kinds, &fanOutWorker{db: w.db, quota: w.quota})
	river.AddWorker(kinds, &deliverWorker{worker: w})
	river.AddWorker(kinds, &adminEmailWorker{worker: w})
	river.AddWorker(kinds, &userEmailWorker{worker: w})
	river.AddWorker(kinds, &confirmationEmailWorker{worker: w})
	return kinds
}

// Queues returns the queue of notifications, and that of e-mails to users.
func Queues() map[string]river.QueueConfig {
	return map[string]river.QueueConfig{
		queue:             {MaxWorkers: maxWorkers, FetchPollInterval: pollInterval, FetchCooldown: fetchCooldown},
		ingest.EmailQueue: {MaxWorkers: maxEmailWorkers, FetchPollInterval: pollInterval, FetchCooldown: fetchCooldown},
	}
}
