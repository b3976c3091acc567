package notify_test

import (
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/testapi"
)

// TestRetriesUntilReceiverRecovers uses simulated time: each delivery is attempted when its next attempt is due, in the order of
// those times, and the receiver recovers after ten minutes.
func TestRetriesUntilReceiverRecovers(t *testing.T) {
	t.Parallel()
	const (
		deliveries = 200
		outage     = 10 * time.Minute
	)
	api := testapi.New(t)
	var now atomic.Int64 // since the events
	hooks := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if time.Duration(now.Load()) < outage {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	channel(t, api, "webhook", map[string]any{"url": hooks.URL}, on("deployment.completed"))
	for i := range deliveries {
		deploy(t, api, map[string]any{"version": strconv.Itoa(i)})
	}
	runFanOut(t, api)
	jobs := jobsOf[notify.DeliverArgs](t, api, "deliver_notification")
	require.Len(t, jobs, deliveries)
	worker := notify.NewWorker(api.Pool, api.Channels, slog.New(slog.DiscardHandler), nil)

	type waiting struct {
		due, scheduled time.Duration // with jitter, and by the schedule
		attempts       int
	}
	pending := make(map[notify.DeliverArgs]*waiting)
	for _, job := range jobs {
		pending[job] = &waiting{}
	}
	for len(pending) > 0 {
		var next notify.DeliverArgs
		for job, w := range pending {
			if chosen, ok := pending[next]; !ok || w.due < chosen.due {
				next = job
			}
		}
		w := pending[next]
		now.Store(int64(w.due))
		again, err := notify.Attempt(t.Context(), worker, next)
		require.NoError(t, err)
		if again == 0 {
			require.GreaterOrEqual(t, w.due, outage)
			delete(pending, next)
			continue
		}
		w.scheduled += notify.RetrySchedule[w.attempts]
		w.due += again
		w.attempts++
		require.InEpsilon(t, w.scheduled, w.due, 0.1, "after %d attempts", w.attempts)
	}
	var delivered, lost int
	api.Scan(t, "SELECT count(*) FILTER (WHERE status = 'delivered') FROM notification_deliveries", &delivered)
	api.Scan(t, "SELECT count(*) FILTER (WHERE status <> 'delivered') FROM notification_deliveries", &lost)
	require.Equal(t, deliveries, delivered)
	require.Zero(t, lost)
}
