package notify_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/testapi"
)

const nowhere = "http://127.0.0.1:9/"

// TestOutbox follows events through the queue to deliveries, without working on them.
func TestOutbox(t *testing.T) {
	t.Parallel()
	event := func(members string) string {
		return `{"product_name":"shop","version":"1","environment_name":"production",` + members + `}`
	}

	t.Run("JobIsAtomicWithItsEvents", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		channel(t, api, "webhook", map[string]any{"url": nowhere}, on("deployment.completed"), on("deployment.failed"), on("build.completed"))
		requireNothing := func() {
			t.Helper()
			for _, table := range []string{"events", "deployments", "builds", "event_fingerprints", "river_job", "notification_deliveries"} {
				require.Zero(t, api.Count(t, table), table)
			}
		}
		api.Exec(t, "ALTER TABLE river_job ADD CONSTRAINT broken CHECK (kind <> 'fan_out_events')")
		require.Equal(t, http.StatusInternalServerError, api.Post(t, "/deployment-events/", event(`"status":"completed"`)).Status)
		require.Equal(t, http.StatusInternalServerError, api.Post(t, "/build-events/", `{"product_name":"shop","version":"1","status":"completed"}`).Status)
		requireNothing()
		api.Exec(t, "ALTER TABLE river_job DROP CONSTRAINT broken")
		api.Exec(t, "ALTER TABLE events ADD CONSTRAINT broken CHECK (status <> 'failed')")
		require.Equal(t, http.StatusInternalServerError, api.Post(t, "/deployment-events/", event(`"status":"failed"`)).Status)
		requireNothing()
		require.Equal(t, http.StatusOK, api.Post(t, "/deployment-events/", event(`"status":"completed"`)).Status)
		require.Len(t, jobsOf[ingest.FanOutArgs](t, api, "fan_out_events"), 1)
	})

	t.Run("NoJobWithoutSubscriber", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		deploy(t, api, nil)
		channel(t, api, "webhook", map[string]any{"url": nowhere}, on("deployment.failed"), on("build.started"))
		deploy(t, api, map[string]any{"version": "2"})
		api.PostEvent(t, "/build-events/", map[string]any{"product_name": "checkout", "version": "2", "status": "completed"})
		other := api.Request(t, http.MethodPost, "/deployment-events/", []byte(event(`"status":"failed"`)))
		other.Header.Set("Authorization", "Bearer "+api.NewKey(t, "other"))
		require.Equal(t, http.StatusOK, api.Do(t, other).Status)
		require.Zero(t, api.Count(t, "river_job"), "an account whose event type has no preference")
		deploy(t, api, map[string]any{"version": "3", "status": "failed"})
		require.Equal(t, 1, runFanOut(t, api))
		require.Equal(t, 1, api.Count(t, "notification_deliveries"))
	})

	t.Run("NoJobForEventsThatChangeNothing", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		channel(t, api, "webhook", map[string]any{"url": nowhere}, on("deployment.started"), on("deployment.completed"), on("deployment.failed"))
		for _, status := range []string{"completed", "completed", "started"} { // one, its repeat, and one that is out of order
			deploy(t, api, map[string]any{"status": status, "invoke_id": "run"})
		}
		require.Equal(t, 1, runFanOut(t, api))
		require.Equal(t, 1, api.Count(t, "notification_deliveries"))
	})

	t.Run("OneDeliveryForAChannelAndStatus", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		filtered := map[string]any{"event_type": "deployment.completed", "filters": map[string]any{"products": []any{"checkout"}}}
		for range 2 {
			channel(t, api, "webhook", map[string]any{"url": nowhere}, on("deployment.started"), on("deployment.completed"), filtered)
		}
		disabled := channel(t, api, "webhook", map[string]any{"url": nowhere}, on("deployment.completed"))
		require.Equal(t, http.StatusOK, api.As(t, "sre", http.MethodPatch, "/notification-channels/"+disabled, `{"enabled":false}`).Status)
		for i := range 10 {
			deploy(t, api, map[string]any{"version": strconv.Itoa(i), "status": "started", "invoke_id": "run"})
			deploy(t, api, map[string]any{"version": strconv.Itoa(i), "invoke_id": "run"})
		}
		jobs := jobsOf[ingest.FanOutArgs](t, api, "fan_out_events")
		require.Equal(t, len(jobs), runFanOut(t, api))
		for _, job := range jobs { // a job whose worker died at the end runs again
			require.NoError(t, notify.FanOut(t.Context(), api.Pool.DB, job))
		}
		var group sync.WaitGroup
		for _, job := range jobs {
			for range 2 {
				group.Go(func() {
					if err := notify.FanOut(t.Context(), api.Pool.DB, job); err != nil {
						t.Error(err)
					}
				})
			}
		}
		group.Wait()
		require.Equal(t, 10*2*2, api.Count(t, "notification_deliveries"))
		require.Len(t, jobsOf[notify.DeliverArgs](t, api, "deliver_notification"), 10*2*2)
		require.Empty(t, history(t, api, disabled))
		var isComplete bool
		api.Scan(t, `SELECT bool_and(d.status = 'pending' AND d.generation = 1 AND d.total_attempts = 0 AND d.next_attempt_at = d.created_at
			AND d.event_type = 'deployment.' || (d.payload ->> 'status') AND d.payload ->> 'id' = d.subject_id::text
			AND e.deployment_id = d.subject_id AND e.status = d.payload ->> 'status'
			AND EXISTS (SELECT FROM river_job AS j WHERE j.args = jsonb_build_object('account_id', d.account_id, 'channel_id', d.channel_id, 'delivery_id', d.id, 'generation', 1)))
			FROM notification_deliveries AS d LEFT JOIN events AS e ON e.id = d.event_id`, &isComplete)
		require.True(t, isComplete)
	})

	t.Run("EventsOfSeveralAccountsInAJob", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		var all ingest.FanOutArgs
		accounts := []string{"one", "two", "three"}
		for _, account := range accounts {
			subscribe(t, api, account, "deployment.completed")
			for _, version := range []string{"1", "2"} {
				request := api.Request(t, http.MethodPost, "/deployment-events/", []byte(`{"product_name":"of `+account+`","version":"`+version+`","environment_name":"e","status":"completed"}`))
				request.Header.Set("Authorization", "Bearer "+api.NewKey(t, account))
				require.Equal(t, http.StatusOK, api.Do(t, request).Status)
			}
		}
		jobs := jobsOf[ingest.FanOutArgs](t, api, "fan_out_events")
		for i := range 2 { // the accounts in turns
			for job := i; job < len(jobs); job += 2 {
				all.Events = append(all.Events, jobs[job].Events...)
			}
		}
		require.Len(t, all.Events, 2*len(accounts))

		api.Exec(t, "ALTER TABLE notification_deliveries ADD CONSTRAINT broken CHECK (payload ->> 'product' <> 'of two')")
		require.Error(t, notify.FanOut(t.Context(), api.Pool.DB, all))
		require.Equal(t, 4, api.Count(t, "notification_deliveries"), "one account keeps the others from their notifications")
		api.Exec(t, "ALTER TABLE notification_deliveries DROP CONSTRAINT broken")
		require.NoError(t, notify.FanOut(t.Context(), api.Pool.DB, all))
		require.Equal(t, 6, api.Count(t, "notification_deliveries"))
		require.Len(t, jobsOf[notify.DeliverArgs](t, api, "deliver_notification"), 6)
		var isOwn bool
		api.Scan(t, `SELECT bool_and(a.slug = replace(d.payload ->> 'product', 'of ', '') AND c.account_id = d.account_id)
			FROM notification_deliveries AS d JOIN accounts AS a ON a.id = d.account_id JOIN notification_channels AS c ON c.id = d.channel_id`, &isOwn)
		require.True(t, isOwn, "a delivery to a channel of another account")
	})

	t.Run("Payload", func(t *testing.T) {
		t.Parallel()
		start := time.Date(2026, 11, 21, 16, 0, 0, 0, time.UTC)
		now := start
		api := testapi.New(t, testapi.WithClock(func() time.Time { return now }))
		channel(t, api, "webhook", map[string]any{"url": nowhere}, on("deployment.started"), on("deployment.failed"), on("build.failed"))
		payload := func() (payload map[string]any) {
			t.Helper()
			require.Equal(t, 1, runFanOut(t, api))
			var text []byte
			api.Scan(t, "SELECT payload FROM notification_deliveries ORDER BY id DESC LIMIT 1", &text)
			require.NoError(t, json.Unmarshal(text, &payload))
			return payload
		}
		started := deploy(t, api, map[string]any{
			"status": "started", "invoke_id": "run", "deployed_by": "ada", "deployed_by_email": "ada@example.com", "scm_repository": "acme/checkout",
			"deploy_url": "https://ci.example.com/?a=1&b=<2>",
		})
		want := map[string]any{
			"id": started.Field(t, "id"), "status": "started", "occurred_at": "2026-11-21T16:00:00Z", "product": "checkout", "version": "1.4.2",
			"environment": "production", "deployer": "ada", "repository": "acme/checkout", "source_url": "https://ci.example.com/?a=1&b=<2>",
		}
		require.Equal(t, want, payload())

		now = start.Add(90 * time.Second)
		deploy(t, api, map[string]any{
			"status": "failed", "invoke_id": "run", "deployed_by_name": "Ada <b>Lovelace</b> & Co", "scm_sha": "9fceb02",
			"extra_metadata": map[string]any{"error": "exit 1\n<b>&\"", "other": strings.Repeat("x", 1000)},
		})
		want["status"], want["occurred_at"], want["took_seconds"] = "failed", "2026-11-21T16:01:30Z", 90.0
		want["deployer"], want["commit_sha"], want["error"] = "Ada <b>Lovelace</b> & Co", "9fceb02", "exit 1\n<b>&\""
		require.Equal(t, want, payload())

		long := strings.Repeat("ü", 5000)
		build := api.PostEvent(t, "/build-events/", map[string]any{
			"product_name": "checkout", "version": "2", "status": "failed", "built_by_email": "ada@example.com", "build_url": "vstfs:///Build/Build/7",
			"error_message": long, "extra_metadata": map[string]any{"error": "not this one"},
		})
		require.Equal(t, map[string]any{
			"id": build.Field(t, "id"), "status": "failed", "occurred_at": "2026-11-21T16:01:30Z", "product": "checkout", "version": "2",
			"deployer": "ada@example.com", "source_url": "vstfs:///Build/Build/7", "error": strings.Repeat("ü", 3999) + "…",
		}, payload())
		var size int
		api.Scan(t, "SELECT max(length(payload::text)) FROM notification_deliveries", &size)
		require.Less(t, size, 5000)
	})

	t.Run("FilterNamesAreNormalized", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		channel(t, api, "webhook", map[string]any{"url": nowhere}, map[string]any{
			"event_type": "deployment.completed", "filters": map[string]any{"products": []any{"\u200bcafe\u0301 "}},
		})
		deploy(t, api, map[string]any{"product_name": "caf\u00e9"})
		require.Equal(t, 1, runFanOut(t, api))
		require.Equal(t, 1, api.Count(t, "notification_deliveries"))
	})
}

// TestDeduplicatesPerStatus sends identical events, concurrently and again, and a late one to a working server.
func TestDeduplicatesPerStatus(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	hooks := newReceiver(t, nil)
	channel(t, api, "webhook", map[string]any{"url": hooks.URL}, on("deployment.pending"), on("deployment.started"), on("deployment.completed"))
	send := func(status string) {
		deploy(t, api, map[string]any{"status": status, "invoke_id": "run"})
	}
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() { send("started") })
	}
	group.Wait()
	for range 3 {
		send("completed")
	}
	send("pending") // out of order
	hooks.wait(t, 2)
	time.Sleep(time.Second) // for further requests
	var got []string
	for _, one := range hooks.requests() {
		got = append(got, one.header.Get("X-Versioner-Event"))
	}
	require.ElementsMatch(t, []string{"deployment.started", "deployment.completed"}, got)
}

// subscribe creates a channel of another account for an event type.
func subscribe(t *testing.T, api *testapi.API, account, eventType string) {
	t.Helper()
	token := api.Token(t, account, "admin")
	create := func(path string, object map[string]any) any {
		body, err := json.Marshal(object)
		require.NoError(t, err)
		request := api.Request(t, http.MethodPost, path, body)
		request.Header.Set("Authorization", "Bearer "+token)
		created := api.Do(t, request)
		require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
		return created.Field(t, "id")
	}
	id := create("/notification-channels/", map[string]any{"name": "c", "channel_type": "webhook", "config": map[string]any{"url": nowhere}})
	create("/notification-preferences/", map[string]any{"channel_id": id, "event_type": eventType})
}
