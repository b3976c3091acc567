package notify_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// soon bounds the wait for what the queue does within seconds, on a machine that runs other tests.
const soon = 45 * time.Second

// received is a request to a receiver.
type received struct {
	at     time.Time
	path   string
	header http.Header
	body   []byte
}

func (r received) object(t *testing.T) map[string]any {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal(r.body, &object), "%s", r.body)
	return object
}

// receiver is a webhook receiver that records requests.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	got    []received
	answer func(number int, w http.ResponseWriter, r *http.Request) // the number of requests before this one
}

func newReceiver(t *testing.T, answer func(number int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		number := len(r.got)
		r.got = append(r.got, received{at: time.Now(), path: request.URL.Path, header: request.Header.Clone(), body: body})
		r.mu.Unlock()
		if r.answer != nil {
			r.answer(number, w, request)
		}
	}))
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

func (r *receiver) requests() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

// wait returns the requests once there are count of them.
func (r *receiver) wait(t *testing.T, count int) []received {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.requests()) >= count }, soon, 20*time.Millisecond, "%d requests", count)
	return r.requests()
}

func always(status int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// inOrder responds with the statuses in order, then with the last one.
func inOrder(statuses ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(number int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(statuses[min(number, len(statuses)-1)])
	}
}

// channel creates a channel with preferences and returns its identifier.
func channel(t *testing.T, api *testapi.API, kind string, config map[string]any, preferences ...map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"name": "channel of the test", "channel_type": kind, "config": config})
	require.NoError(t, err)
	created := api.As(t, "sre", http.MethodPost, "/notification-channels/", string(body))
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	id := created.Field(t, "id").(string)
	for _, preference := range preferences {
		preference["channel_id"] = id
		body, err := json.Marshal(preference)
		require.NoError(t, err)
		created := api.As(t, "sre", http.MethodPost, "/notification-preferences/", string(body))
		require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	}
	return id
}

func on(eventType string) map[string]any { return map[string]any{"event_type": eventType} }

// deploy records a deployment.
func deploy(t *testing.T, api *testapi.API, members map[string]any) testapi.Answer {
	t.Helper()
	event := map[string]any{"product_name": "checkout", "version": "1.4.2", "environment_name": "production", "status": "completed"}
	maps.Copy(event, members)
	return api.PostEvent(t, "/deployment-events/", event)
}

// history returns the deliveries to a channel, newest first.
func history(t *testing.T, api *testapi.API, channel string) []map[string]any {
	t.Helper()
	answer := api.As(t, "viewer", http.MethodGet, "/notification-history/?channel_id="+channel, "")
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	var list struct {
		Items []map[string]any `json:"items"`
	}
	require.NoError(t, json.Unmarshal(answer.Body, &list))
	return list.Items
}

// ended waits until the newest delivery to the channel has ended and returns it.
func ended(t *testing.T, api *testapi.API, channel string) map[string]any {
	t.Helper()
	var newest map[string]any
	require.Eventually(t, func() bool {
		items := history(t, api, channel)
		if len(items) > 0 {
			newest = items[0]
		}
		return newest != nil && newest["status"] != "pending"
	}, soon, 50*time.Millisecond)
	return newest
}

// jobsOf returns the arguments of the queue's jobs of a kind, oldest first.
func jobsOf[T any](t *testing.T, api *testapi.API, kind string) (jobs []T) {
	t.Helper()
	var text []byte
	api.Scan(t, "SELECT coalesce(json_agg(args ORDER BY id), '[]') FROM river_job WHERE kind = '"+kind+"'", &text)
	require.NoError(t, json.Unmarshal(text, &jobs))
	return jobs
}

// runFanOut runs the fan-out jobs of the queue and returns their number.
func runFanOut(t *testing.T, api *testapi.API) int {
	t.Helper()
	jobs := jobsOf[ingest.FanOutArgs](t, api, "fan_out_events")
	for _, job := range jobs {
		require.NoError(t, notify.FanOut(t.Context(), api.Pool.DB, job))
	}
	api.Exec(t, "DELETE FROM river_job WHERE kind = 'fan_out_events'")
	return len(jobs)
}
