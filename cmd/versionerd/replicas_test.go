package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
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
	"github.com/versioner-io/versioner/internal/testredis"
)

// nginx is a running nginx.
type nginx struct {
	command *exec.Cmd
	log     string
	config  string // its file
}

// reload changes the configuration.
func (n *nginx) reload(t *testing.T, old, replacement string) {
	t.Helper()
	text, err := os.ReadFile(n.config)
	require.NoError(t, err)
	require.Contains(t, string(text), old)
	require.NoError(t, os.WriteFile(n.config, []byte(strings.Replace(string(text), old, replacement, 1)), 0o600))
	require.NoError(t, n.command.Process.Signal(syscall.SIGHUP))
}

// startNginx runs nginx with configurations of deploy/ in its http block, in which the replacements are made, until the test ends.
// Without nginx the test is skipped, and fails if CI is set.
func startNginx(t *testing.T, file string, replacements ...string) *nginx {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		require.Empty(t, os.Getenv("CI"), "nginx is not installed; .ci/guides installs it")
		t.Skip("SKIPPED, NO NGINX: .ci/guides installs it")
	}
	text, err := os.ReadFile(filepath.Join("../../deploy", file))
	require.NoError(t, err)
	for i := 0; i < len(replacements); i += 2 {
		require.Contains(t, string(text), replacements[i])
	}
	dir := t.TempDir()
	config := "daemon off;\nworker_processes 1;\npid " + dir + "/nginx.pid;\nerror_log " + dir + "/error.log warn;\nevents {}\nhttp {\naccess_log off;\n"
	if os.Geteuid() == 0 {
		config = "user root;\n" + config
	}
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		_, _ = fmt.Fprintf(&temporary, "%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	config += temporary.String() + strings.NewReplacer(replacements...).Replace(string(text)) + "}\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600))
	n := &nginx{command: exec.Command(program, "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf")), log: filepath.Join(dir, "error.log"), config: filepath.Join(dir, "nginx.conf")}
	n.command.Stderr = os.Stderr
	require.NoError(t, n.command.Start())
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, "nginx.pid")) // it listens before it writes the file
		return err == nil
	}, time.Minute, 5*time.Millisecond)
	t.Cleanup(func() {
		_ = n.command.Process.Signal(syscall.SIGTERM)
		_ = n.command.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(n.log)
			t.Logf("nginx: %s", log)
		}
	})
	return n
}

// replicas are two servers with one PostgreSQL and one Redis behind nginx.
type replicas struct {
	proxy     string
	addresses [2]string
	servers   [2]*program
	envs      [2][]string
	dsn       string
	issuer    clerk
}

func startReplicas(t *testing.T, settings ...string) *replicas {
	t.Helper()
	limits := testredis.New(t)
	database, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: newDataDir(t), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	r := &replicas{dsn: database.DSN(), issuer: newClerk(t), addresses: [2]string{freeAddr(t), freeAddr(t)}}
	for i, address := range r.addresses {
		r.envs[i] = append(environment(newDataDir(t), "DATABASE_URL="+r.dsn, "REDIS_URL="+limits.URL(),
			"VERSIONER_KEY_PEPPER=0123456789012345678901234567890123456789", "VERSIONER_ENCRYPTION_KEYS="+strings.Repeat("A", 43)+"=",
			"VERSIONER_JWT_ISSUER="+r.issuer.URL, "VERSIONER_JWT_AUTHORIZED_PARTY=https://app.example.com", "VERSIONER_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8",
			"VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=0", "VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR=0", "VERSIONER_RATE_LIMIT_USER_PER_MINUTE=0",
			"VERSIONER_DRAIN_DELAY=1s"), append(settings, "VERSIONER_ADDR="+address)...)
		r.servers[i] = launch(t, r.envs[i], "serve")
	}
	listen := freeAddr(t)
	r.proxy = "http://" + listen
	startNginx(t, "nginx/versioner.conf", "10.0.0.11:8080", r.addresses[0], "10.0.0.12:8080", r.addresses[1], "listen 80;", "listen "+listen+";")
	require.Eventually(t, func() bool { return isReady(listen) && isReady(r.addresses[0]) && isReady(r.addresses[1]) }, time.Minute, 10*time.Millisecond)
	return r
}

// url returns the address of a server.
func (r *replicas) url(i int) string { return "http://" + r.addresses[i] }

// token returns the token of an admin of the account acme.
func (r *replicas) token(t *testing.T) string {
	t.Helper()
	return r.issuer.session(t, map[string]any{"exp": time.Now().Add(time.Hour).Unix()}).Value
}

// createKey creates an API key in the account acme over HTTP, and returns its identifier and the key.
func (r *replicas) createKey(t *testing.T, name string) (id, key string) {
	t.Helper()
	status, answer := postTo(r.url(0)+"/api-keys/", r.token(t), map[string]any{"name": name})
	require.Equal(t, http.StatusCreated, status, "%s", answer)
	var created struct{ ID, Key string }
	require.NoError(t, json.Unmarshal(answer, &created))
	require.NotEmpty(t, created.Key, "%s", answer)
	return created.ID, created.Key
}

// request sends a request without a body, and returns its status, 0 without an answer.
func request(t *testing.T, method, url, credential string) (int, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+credential)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	answer, _ := io.ReadAll(response.Body)
	return response.StatusCode, answer
}

// readers list deployments through a proxy until they are stopped.
type readers struct {
	stopped  atomic.Bool
	group    sync.WaitGroup
	mu       sync.Mutex
	statuses map[int]int
}

func startReaders(t *testing.T, url, token string, n int) *readers {
	t.Helper()
	r := &readers{statuses: make(map[int]int)}
	for range n {
		r.group.Go(func() {
			for !r.stopped.Load() {
				status, _ := request(t, http.MethodGet, url+"/deployments/?limit=5", token)
				r.mu.Lock()
				r.statuses[status]++
				r.mu.Unlock()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	return r
}

func (r *readers) stop() {
	r.stopped.Store(true)
	r.group.Wait()
}

// TestReplicas runs two servers with one PostgreSQL and one Redis behind the documented nginx, and kills and terminates them in turns.
// VERSIONER_TEST_RESTARTS is the number of times.
func TestReplicas(t *testing.T) {
	t.Parallel()
	parent, r := t, startReplicas(t)

	t.Run("RevokeKeysEverywhereWithinASecond", func(t *testing.T) {
		for revokedOn := range 2 {
			other := 1 - revokedOn
			id, key := r.createKey(t, "revoked on "+strconv.Itoa(revokedOn))
			for range 3 { // until both have cached it
				for i := range 2 {
					status, answer := post(r.url(i), key, someEvent())
					require.Equal(t, http.StatusOK, status, "%s", answer)
				}
			}
			status, answer := request(t, http.MethodDelete, r.url(revokedOn)+"/api-keys/"+id, r.token(t))
			revoked := time.Now()
			require.Equal(t, http.StatusNoContent, status, "%s", answer)
			for {
				sent := time.Now()
				status, _ := post(r.url(other), key, someEvent())
				if status == http.StatusUnauthorized {
					t.Logf("revoked on one server, refused on the other after %v", time.Since(revoked).Round(time.Millisecond))
					break
				}
				require.Equal(t, http.StatusOK, status)
				require.Less(t, sent.Sub(revoked), time.Second, "the other server still accepts the key")
			}
		}
	})
	t.Run("ShareRateLimits", func(t *testing.T) {
		const limit, sent = 20, 60
		_, key := r.createKey(t, "limited")
		_, stderr, err := call(t, r.envs[0], "limits", "key", "acme", strings.Split(key, "_")[2], strconv.Itoa(limit))
		require.NoError(t, err, stderr)
		time.Sleep(time.Second) // until both know the limit
		statuses := make(map[int]int)
		for i := range sent {
			status, _ := post(r.url(i%2), key, someEvent())
			statuses[status]++
		}
		require.Equal(t, sent, statuses[http.StatusOK]+statuses[http.StatusTooManyRequests], "%v", statuses)
		require.GreaterOrEqual(t, statuses[http.StatusOK], limit)
		require.Less(t, statuses[http.StatusOK], 2*limit, "each server has a limit of its own: %v", statuses)
	})
	t.Run("DoEachJobOnce", func(t *testing.T) {
		hooks := newHooks(t)
		hooks.subscribeAs(t, r.token(t), r.proxy)
		_, key := r.createKey(t, "notified")
		for i := range 100 {
			status, answer := post(r.proxy, key, map[string]any{
				"product_name": "notified", "version": strconv.Itoa(i), "environment_name": "e", "status": "completed", "invoke_id": strconv.Itoa(i),
			})
			require.Equal(t, http.StatusOK, status, "%s", answer)
		}
		conn := connect(t, r.dsn)
		count := func(query string) (n int) {
			require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n))
			return n
		}
		const unfinished = "SELECT count(*) FROM river_job WHERE state NOT IN ('completed', 'cancelled', 'discarded')"
		require.Eventually(t, func() bool {
			return count("SELECT count(*) FROM notification_deliveries WHERE status = 'delivered'") == 100 && count(unfinished) == 0
		}, time.Minute, 50*time.Millisecond)
		hooks.mu.Lock()
		defer hooks.mu.Unlock()
		require.Len(t, hooks.times, 100)
		for id, times := range hooks.times {
			require.Equal(t, 1, times, "delivery %s", id)
		}
		require.Zero(t, count("SELECT count(*) FROM river_job WHERE attempt > 1 OR cardinality(errors) > 0"), "a job ran more than once")
		workers := count("SELECT count(DISTINCT attempted_by[1]) FROM river_job WHERE kind LIKE '%deliver%'")
		t.Logf("100 deliveries by %d servers", workers)
		require.Equal(t, 2, workers, "both servers deliver")
	})
	t.Run("LoseNoRequestWhenOneStops", func(t *testing.T) {
		_, key := r.createKey(t, "load")
		load, readers := newWriters(r.proxy, key, 8), startReaders(t, r.proxy, r.token(t), 4)
		ends := 2
		if text := os.Getenv("VERSIONER_TEST_RESTARTS"); text != "" {
			var err error
			ends, err = strconv.Atoi(text)
			require.NoError(t, err)
		}
		for i := range ends {
			server := i / 2 % 2
			time.Sleep(500 * time.Millisecond)
			if i%2 == 0 {
				require.NoError(t, r.servers[server].command.Process.Kill())
				<-r.servers[server].exited
			} else {
				r.servers[server].terminate(t)
			}
			time.Sleep(500 * time.Millisecond)
			r.servers[server] = launch(parent, r.envs[server], "serve")
			require.Eventually(t, func() bool { return isReady(r.addresses[server]) }, time.Minute, 10*time.Millisecond)
			time.Sleep(2 * time.Second) // until nginx sends to it again
		}
		load.stop()
		readers.stop()
		require.Equal(t, map[int]int{http.StatusOK: load.statuses[http.StatusOK]}, load.statuses, "failed events")
		require.Equal(t, map[int]int{http.StatusOK: readers.statuses[http.StatusOK]}, readers.statuses, "failed lists")
		load.requireExactlyOnce(t, r.dsn)
		t.Logf("%d kills and terminations: %d events and %d lists answered with 200, none failed", ends, load.statuses[http.StatusOK], readers.statuses[http.StatusOK])
	})
	for _, server := range r.servers {
		server.stop(t)
	}
}

// connect opens a connection for the time of the test.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// TestProxyRepeatsOnlyWhatIsSafe sends requests through the documented nginx to servers that close the connection of each request
// without an answer, and counts the requests.
func TestProxyRepeatsOnlyWhatIsSafe(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	closing := func() string {
		address := freeAddr(t)
		server := &http.Server{Addr: address, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			requests.Add(1)
			panic(http.ErrAbortHandler)
		})}
		go func() { _ = server.ListenAndServe() }()
		t.Cleanup(func() { _ = server.Close() })
		return address
	}
	listen := freeAddr(t)
	startNginx(t, "nginx/versioner.conf", "10.0.0.11:8080", closing(), "10.0.0.12:8080", closing(), "listen 80;", "listen "+listen+";",
		"max_fails=3", "max_fails=0") // nginx always sends to both
	send := func(method, path, key string) int64 {
		requests.Store(0)
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+listen+path, strings.NewReader("{}"))
		require.NoError(t, err)
		if key != "" {
			request.Header.Set("Idempotency-Key", key)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusBadGateway, response.StatusCode)
		return requests.Load()
	}
	require.Equal(t, int64(2), send(http.MethodGet, "/products/", ""))
	for _, path := range []string{"/deployment-events/", "//deployment-events/", "/build-events", "/version-events/"} {
		require.Equal(t, int64(2), send(http.MethodPost, path, ""), path)
	}
	require.Equal(t, int64(2), send(http.MethodPost, "/products/", "a key"))
	require.Equal(t, int64(1), send(http.MethodPost, "/products/", ""))
	require.Equal(t, int64(1), send(http.MethodPost, "/products/deployment-events/", ""))
	require.Equal(t, int64(1), send(http.MethodPatch, fmt.Sprintf("/products/%032d", 1), "a key"))
}
