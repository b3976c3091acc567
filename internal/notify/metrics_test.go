package notify_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestMetrics counts each attempt of a delivery, and the jobs behind it.
func TestMetrics(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	hooks := newReceiver(t, inOrder(500, 200, 404))
	id := channel(t, api, "webhook", map[string]any{"url": hooks.URL}, on("deployment.completed"))
	deploy(t, api, nil)
	require.Equal(t, "delivered", ended(t, api, id)["status"])
	deploy(t, api, map[string]any{"version": "2"})
	hooks.wait(t, 3)
	for series, want := range map[string]float64{
		`versioner_deliveries_total{channel="webhook",outcome="delivered"}`:                     1,
		`versioner_deliveries_total{channel="webhook",outcome="retried"}`:                       1,
		`versioner_deliveries_total{channel="webhook",outcome="failed"}`:                        1,
		`versioner_job_duration_seconds_count{kind="fan_out_events",outcome="completed"}`:       2,
		`versioner_job_duration_seconds_count{kind="deliver_notification",outcome="completed"}`: 2,
		`versioner_job_duration_seconds_count{kind="deliver_notification",outcome="snoozed"}`:   1,
		`versioner_ingest_events_total{effect="created",type="deployment.completed"}`:           2,
	} {
		require.Eventually(t, func() bool { return api.Metric(t, series) == want }, 10*time.Second, 10*time.Millisecond, series)
	}
}
