package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// writers send distinct events sequentially, each of its own CI run, and retry an event until the answer is 200. Every other writer
// uses Idempotency-Keys.
type writers struct {
	url      atomic.Pointer[string]
	key      string
	group    sync.WaitGroup
	done     chan struct{}
	mu       sync.Mutex
	acked    map[string]bool
	statuses map[int]int
	failure  string // why a request had no answer, the last one
}

func newWriters(url, key string, n int) *writers {
	w := &writers{key: key, done: make(chan struct{}), acked: make(map[string]bool), statuses: make(map[int]int)}
	w.url.Store(&url)
	for writer := range n {
		w.group.Go(func() { w.write(writer) })
	}
	return w
}

func (w *writers) write(writer int) {
	for i := 0; ; i++ {
		version := fmt.Sprintf("%d.%d", writer, i)
		for {
			select {
			case <-w.done:
				return
			default:
			}
			name := ""
			if writer%2 == 1 {
				name = version
			}
			status, answer := postWithKey(*w.url.Load()+"/deployment-events/", w.key, name, map[string]any{
				"product_name": "product " + strconv.Itoa(writer%3), "version": version, "environment_name": "production", "status": "completed", "invoke_id": version,
			})
			w.mu.Lock()
			w.statuses[status]++
			if status == 0 {
				w.failure = string(answer)
			}
			if status == http.StatusOK {
				w.acked[version] = true
			}
			w.mu.Unlock()
			if status == http.StatusOK {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// awaitStatus waits until an answer with the status has come.
func (w *writers) awaitStatus(t *testing.T, status int) {
	t.Helper()
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.statuses[status] > 0
	}, time.Minute, 5*time.Millisecond, "no answer with status %d", status)
}

func (w *writers) stop() {
	close(w.done)
	w.group.Wait()
}

// requireExactlyOnce requires each acknowledged event to be in the database once, as the only event of the only deployment of its
// version.
func (w *writers) requireExactlyOnce(t *testing.T, dsn string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	count := func(sql string) map[string]int {
		rows, err := conn.Query(t.Context(), sql)
		require.NoError(t, err)
		counts := make(map[string]int)
		var version string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&version, &n}, func() error {
			counts[version] = n
			return nil
		})
		require.NoError(t, err)
		return counts
	}
	const own = " WHERE body ->> 'product_name' LIKE 'product %'"
	events := count("SELECT body ->> 'version', count(*) FROM events" + own + " GROUP BY 1")
	deployments := count("SELECT version, count(*) FROM deployment_details WHERE product_name LIKE 'product %' GROUP BY 1")
	subjects := count("SELECT body ->> 'version', count(DISTINCT deployment_id) FROM events JOIN deployments AS d ON d.id = deployment_id" + own + " GROUP BY 1")
	var lost, repeated []string
	for version := range w.acked {
		if events[version] == 0 || subjects[version] == 0 || deployments[version] == 0 {
			lost = append(lost, version)
		}
	}
	for version, n := range events {
		if n != 1 || subjects[version] != 1 || deployments[version] != 1 {
			repeated = append(repeated, fmt.Sprintf("%s: %d events, %d deployments", version, n, deployments[version]))
		}
	}
	require.Empty(t, lost, "lost events, of %d acknowledged ones", len(w.acked))
	require.Empty(t, repeated, "versions with several events or deployments")
	require.Len(t, deployments, len(events), "deployments without an event")
	require.NotEmpty(t, w.acked)
	t.Logf("%d events acknowledged, %d recorded, none lost or duplicated; answers by status: %v", len(w.acked), len(events), w.statuses)
}

// TestKillUnderLoad kills the server repeatedly while eight writers send, every other time with its PostgreSQL.
// VERSIONER_TEST_KILLS is the number of kills.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	kills := 3
	if text := os.Getenv("VERSIONER_TEST_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	dir := newDataDir(t)
	env := environment(dir, "VERSIONER_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8", "VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=0", "VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR=0")
	server := launch(t, env, "dev")
	key := keyPattern.FindString(server.stdout.String())
	hooks := newHooks(t)
	hooks.subscribe(t, env, server.url)
	load := newWriters(server.url, key, 8)
	for kill := range kills {
		time.Sleep(200*time.Millisecond + rand.N(400*time.Millisecond))
		if kill%2 == 1 {
			text, err := os.ReadFile(filepath.Join(dir, "pgdata", "postmaster.pid"))
			require.NoError(t, err)
			var pid int
			_, err = fmt.Sscan(string(text), &pid)
			require.NoError(t, err)
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
		require.NoError(t, server.command.Process.Kill())
		<-server.exited
		begin := time.Now()
		server = launch(t, env, "dev")
		t.Logf("kill %d: serving again after %v", kill+1, time.Since(begin).Round(time.Millisecond))
		load.url.Store(&server.url)
	}
	lastKill := time.Now()
	time.Sleep(200 * time.Millisecond)
	load.stop()

	dsn, release, err := embeddedpg.Attach(t.Context(), embeddedpg.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	load.requireExactlyOnce(t, dsn)
	hooks.requireAll(t, dsn, lastKill)
	require.NoError(t, release(t.Context()))
	server.stop(t)
}

// hooks is a receiver of webhooks that counts the requests of each delivery.
type hooks struct {
	url string

	mu    sync.Mutex
	times map[string]int // by delivery
}

func newHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{times: make(map[string]int)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.times[r.Header.Get("webhook-id")]++
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// subscribe creates a channel to this receiver, as an admin of the demo account.
func (h *hooks) subscribe(t *testing.T, env []string, server string) {
	t.Helper()
	token, _, err := call(t, env, "token", "--account", demoAccount, "--role", "admin")
	require.NoError(t, err)
	h.subscribeAs(t, strings.TrimSpace(token), server)
}

// subscribeAs is subscribe with the token of an admin of any account.
func (h *hooks) subscribeAs(t *testing.T, token, server string) {
	t.Helper()
	create := func(path string, object map[string]any) (id string) {
		status, answer := postTo(server+path, token, object)
		require.Equal(t, http.StatusCreated, status, "%s", answer)
		var made struct{ ID string }
		require.NoError(t, json.Unmarshal(answer, &made))
		return made.ID
	}
	channel := create("/notification-channels/", map[string]any{"name": "c", "channel_type": "webhook", "config": map[string]any{"url": h.url}})
	create("/notification-preferences/", map[string]any{"channel_id": channel, "event_type": "deployment.completed"})
}

// requireAll waits until everything is delivered, and compares the received requests with the recorded deliveries.
func (h *hooks) requireAll(t *testing.T, dsn string, lastKill time.Time) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	var pending, missing int
	require.Eventually(t, func() bool {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE status <> 'delivered'),
			(SELECT count(*) FROM deployments) - count(DISTINCT subject_id) FROM notification_deliveries`).Scan(&pending, &missing))
		return pending == 0 && missing == 0
	}, 3*time.Minute, 100*time.Millisecond, "still to deliver: %d, deployments without a delivery: %d", pending, missing)
	drained := time.Since(lastKill)
	rows, err := conn.Query(t.Context(), "SELECT id::text FROM notification_deliveries")
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	again := 0
	for _, id := range ids {
		require.NotZero(t, h.times[id], "recorded as delivered, but not received")
		again += h.times[id] - 1
	}
	require.Len(t, h.times, len(ids), "requests of unknown deliveries")
	t.Logf("%d notifications delivered, %d of them more than once (%.2f %%); nothing left %v after the last kill",
		len(ids), again, 100*float64(again)/float64(len(ids)), drained.Round(time.Second))
}

// TestDatabaseOutage stops PostgreSQL for five seconds while events arrive.
func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	const outage = 5 * time.Second
	config := embeddedpg.Config{Dir: newDataDir(t), Logger: slog.New(slog.DiscardHandler)}
	database, err := embeddedpg.Start(t.Context(), config)
	require.NoError(t, err)
	server, key := serveOn(t, database)
	load := newWriters(server.url, key, 8)
	time.Sleep(300 * time.Millisecond)

	require.NoError(t, database.Stop(t.Context()))
	time.Sleep(outage)
	database, err = embeddedpg.Start(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	time.Sleep(time.Second)
	load.stop()

	require.Zero(t, load.statuses[http.StatusUnauthorized], "a valid key was rejected: %v", load.statuses)
	require.Zero(t, load.statuses[http.StatusInternalServerError], "%v", load.statuses)
	load.requireExactlyOnce(t, database.DSN())
	server.stop(t)
}

// serveOn runs a server without rate limits on the database, and returns it with an API key.
func serveOn(t *testing.T, database *embeddedpg.Server) (server *program, key string) {
	t.Helper()
	env := environment(newDataDir(t), "DATABASE_URL="+database.DSN(), "VERSIONER_KEY_PEPPER=0123456789012345678901234567890123456789",
		"VERSIONER_ENCRYPTION_KEYS="+strings.Repeat("A", 43)+"=", "VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=0", "VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR=0")
	server = launch(t, env, "dev")
	return server, keyPattern.FindString(server.stdout.String())
}

// TestDatabaseRestarts restarts PostgreSQL repeatedly under 200 requests a second from clients that do not retry; every other request
// has an Idempotency-Key. VERSIONER_TEST_RESTARTS is the number of restarts.
func TestDatabaseRestarts(t *testing.T) {
	t.Parallel()
	restarts := 3
	if text := os.Getenv("VERSIONER_TEST_RESTARTS"); text != "" {
		var err error
		restarts, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	config := embeddedpg.Config{Dir: newDataDir(t), Logger: slog.New(slog.DiscardHandler)}
	database, err := embeddedpg.Start(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	server, key := serveOn(t, database)

	var mu sync.Mutex
	statuses := make(map[int]int)
	var requests sync.WaitGroup
	done := make(chan struct{})
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		ticker := time.NewTicker(time.Second / 50) // the queue holds what comes while PostgreSQL starts on a slow machine
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			requests.Go(func() {
				name := ""
				if i%2 == 1 {
					name = strconv.Itoa(i)
				}
				status, _ := postWithKey(server.url+"/deployment-events/", key, name, map[string]any{
					"product_name": "product " + strconv.Itoa(i%10), "version": strconv.Itoa(i), "environment_name": "production", "status": "completed",
				})
				mu.Lock()
				defer mu.Unlock()
				statuses[status]++
			})
		}
	}()
	for range restarts {
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, database.Stop(t.Context()))
		database, err = embeddedpg.Start(t.Context(), config)
		require.NoError(t, err)
	}
	time.Sleep(500 * time.Millisecond)
	close(done)
	<-sending
	requests.Wait()
	require.Equal(t, map[int]int{http.StatusOK: statuses[http.StatusOK]}, statuses, "%s", server.stderr)
	t.Logf("%d restarts, %d requests, all answered with 200", restarts, statuses[http.StatusOK])
	server.stop(t)
}

// TestStopWaitsForIncompleteRequest stops a server that has received half a request.
func TestStopWaitsForIncompleteRequest(t *testing.T) {
	t.Parallel()
	server := launch(t, environment(newDataDir(t)), "dev")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: versioner\r\n")
	require.NoError(t, err)
	status, _ := send(t, http.MethodGet, server.url+"/health", "", nil) // later connections are accepted
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, server.command.Process.Signal(os.Interrupt))
	require.Eventually(t, func() bool { return strings.Contains(server.stderr.String(), "shutting down: ") }, time.Minute, time.Millisecond)
	_, err = io.WriteString(conn, "\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.True(t, response.Close, "the connection must not be reused")
	require.NoError(t, <-server.exited, "%s", server.stderr)
}

// TestReadOnlySwitchOver makes the database read-only for a while, as a fail-over does: writes recover automatically.
func TestReadOnlySwitchOver(t *testing.T) {
	t.Parallel()
	database, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: newDataDir(t), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	server, key := serveOn(t, database)
	conn, err := pgx.Connect(t.Context(), database.DSN())
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	readOnly := func(value string) {
		for _, statement := range []string{"SET default_transaction_read_only = off", "ALTER SYSTEM SET default_transaction_read_only = " + value, "SELECT pg_reload_conf()"} {
			_, err := conn.Exec(t.Context(), statement)
			require.NoError(t, err)
		}
	}
	load := newWriters(server.url, key, 4)
	load.awaitStatus(t, http.StatusOK)
	readOnly("on")
	load.awaitStatus(t, http.StatusServiceUnavailable) // a request has reached its deadline
	readOnly("off")
	begin := time.Now()
	require.Eventually(t, func() bool {
		status, _ := post(server.url, key, someEvent())
		return status == http.StatusOK
	}, 10*time.Second, 50*time.Millisecond)
	t.Logf("writes recovered after %v", time.Since(begin).Round(time.Millisecond))
	load.stop()
	require.Zero(t, load.statuses[http.StatusInternalServerError], "%v", load.statuses)
	require.NotZero(t, load.statuses[http.StatusServiceUnavailable], "%v", load.statuses)
	load.requireExactlyOnce(t, database.DSN())
	server.stop(t)
}
