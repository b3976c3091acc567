package notify_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/testapi"
)

func TestDailyQuota(t *testing.T) {
	t.Parallel()

	t.Run("IsExactUnderConcurrency", func(t *testing.T) {
		t.Parallel()
		const events, limit = 20, 25
		api := testapi.New(t)
		api.As(t, "admin", http.MethodPost, "/products/", `{"name":"x"}`) // creates the admin
		api.Exec(t, "UPDATE users SET email = 'admin@example.com' WHERE claimed_role = 'admin'")
		for range 2 {
			channel(t, api, "webhook", map[string]any{"url": nowhere}, on("deployment.completed"))
		}
		for i := range events {
			deploy(t, api, map[string]any{"version": strconv.Itoa(i)})
		}
		var group sync.WaitGroup
		for _, job := range jobsOf[ingest.FanOutArgs](t, api, "fan_out_events") {
			for range 2 { // a job whose worker died at the end runs again
				group.Go(func() {
					if err := notify.FanOutWithin(t.Context(), api.Pool.DB, limit, job); err != nil {
						t.Error(err)
					}
				})
			}
		}
		group.Wait()
		var pending, cancelled int
		api.Scan(t, "SELECT count(*) FROM notification_deliveries WHERE status = 'pending'", &pending)
		api.Scan(t, `SELECT count(*) FROM notification_deliveries
			WHERE status = 'cancelled' AND error_class = 'quota_exceeded' AND total_attempts = 0 AND next_attempt_at IS NULL AND finished_at IS NOT NULL`, &cancelled)
		require.Equal(t, limit, pending)
		require.Equal(t, 2*events-limit, cancelled)
		require.Len(t, jobsOf[notify.DeliverArgs](t, api, "deliver_notification"), limit)
		require.Equal(t, 1, api.Count(t, "river_job WHERE kind = 'send_admin_email'"), "one e-mail to an admin a day")
	})

	t.Run("StartsAgainEachDay", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		channel(t, api, "webhook", map[string]any{"url": nowhere}, on("deployment.completed"))
		deploy(t, api, nil)
		job := jobsOf[ingest.FanOutArgs](t, api, "fan_out_events")[0]
		require.NoError(t, notify.FanOutWithin(t.Context(), api.Pool.DB, 1, job))
		api.Exec(t, "UPDATE notification_usage SET day = day - 1")
		deploy(t, api, map[string]any{"version": "2"})
		job = jobsOf[ingest.FanOutArgs](t, api, "fan_out_events")[1]
		require.NoError(t, notify.FanOutWithin(t.Context(), api.Pool.DB, 1, job))
		require.Len(t, jobsOf[notify.DeliverArgs](t, api, "deliver_notification"), 2)
	})

	t.Run("OwnLimitOfAnAccount", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithDeliveriesPerDay(1))
		id := channel(t, api, "webhook", map[string]any{"url": nowhere})
		test := func() int {
			return api.As(t, "sre", http.MethodPost, "/notification-channels/"+id+"/test", "").Status
		}
		limit := int32(3)
		require.NoError(t, api.Keys.SetDeliveryLimit(t.Context(), testapi.Account, &limit))
		for _, want := range []int{http.StatusOK, http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
			require.Equal(t, want, test())
		}
		require.NoError(t, api.Keys.SetDeliveryLimit(t.Context(), testapi.Account, new(int32)))
		require.Equal(t, http.StatusOK, test(), "0 is unlimited")
		require.NoError(t, api.Keys.SetDeliveryLimit(t.Context(), testapi.Account, nil))
		require.Equal(t, http.StatusTooManyRequests, test(), "the server-wide limit")
	})

	t.Run("BoundsTestsAndRedeliveries", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithDeliveriesPerDay(2))
		hooks := newReceiver(t, nil)
		id := channel(t, api, "webhook", map[string]any{"url": hooks.URL})
		test := func() testapi.Answer {
			return api.As(t, "sre", http.MethodPost, "/notification-channels/"+id+"/test", "")
		}
		first := test()
		require.Equal(t, http.StatusOK, first.Status, "%s", first.Body)
		redeliver := func() testapi.Answer {
			return api.As(t, "sre", http.MethodPost, "/notification-history/"+first.Field(t, "delivery_id").(string)+"/redeliver", "")
		}
		require.Equal(t, http.StatusAccepted, redeliver().Status)
		require.Equal(t, http.StatusTooManyRequests, redeliver().Status)
		rejected := test()
		require.Equal(t, http.StatusTooManyRequests, rejected.Status, "%s", rejected.Body)
		require.NotEmpty(t, rejected.Header.Get("Retry-After"))
		require.Len(t, hooks.requests(), 1)
		require.Len(t, jobsOf[notify.DeliverArgs](t, api, "deliver_notification"), 1)
	})
}

func TestTasks(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithMailer(newMailServer(t).mailer(t)))
	channel(t, api, "email", map[string]any{"to": "expired@example.com, pending@example.com, confirmed@example.com"})
	backdate := func(address, change string) {
		api.Exec(t, "UPDATE notification_recipients SET "+change+" WHERE address_hash = sha256('"+address+"@example.com')")
	}
	backdate("expired", "requested_at = now() - interval '8 days'")
	backdate("pending", "requested_at = now() - interval '6 days'")
	backdate("confirmed", "requested_at = now() - interval '80 days', confirmed_at = now()")
	api.Exec(t, "INSERT INTO notification_usage SELECT account_id, day - 1, kind, used FROM notification_usage")
	api.Exec(t, "INSERT INTO confirmation_email_usage VALUES ('\\x00', current_date - 2, 1), ('\\x00', current_date + 1, 1)")
	for _, task := range notify.Tasks(api.Pool, time.Now) {
		require.NoError(t, task.Run(t.Context()), task.Name)
	}
	require.Equal(t, 2, api.Count(t, "notification_recipients"))
	require.Equal(t, 1, api.Count(t, "notification_usage"))
	require.Equal(t, 1, api.Count(t, "confirmation_email_usage"))
}
