package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// loadClient sends requests and counts the answers.
type loadClient struct {
	client http.Client
	number atomic.Int64

	mu                sync.Mutex
	statuses          map[int]int
	latencies         []time.Duration // of requests answered with 2xx
	missingRetryAfter int             // 503 without Retry-After
}

func newLoadClient() *loadClient {
	return &loadClient{
		client:   http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1024}},
		statuses: make(map[int]int),
	}
}

// event sends a new event.
func (c *loadClient) event(url, key string) {
	n := c.number.Add(1)
	c.send(http.MethodPost, url+"/deployment-events/", key, fmt.Appendf(nil,
		`{"product_name":"product %d","version":"%d","environment_name":"production","status":"completed"}`, n%20, n))
}

// read requests a page of deployments, as a dashboard does.
func (c *loadClient) read(url, token string) {
	c.send(http.MethodGet, url+"/deployments/?limit=100", token, nil)
}

func (c *loadClient) send(method, address, credential string, body []byte) {
	request, err := http.NewRequestWithContext(context.Background(), method, address, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+credential)
	request.Header.Set("Content-Type", "application/json")
	begin := time.Now()
	status, retryAfter := 0, ""
	if response, err := c.client.Do(request); err == nil {
		if _, err := io.Copy(io.Discard, response.Body); err == nil {
			status, retryAfter = response.StatusCode, response.Header.Get("Retry-After")
		}
		_ = response.Body.Close()
	}
	latency := time.Since(begin)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statuses[status]++
	switch {
	case status == http.StatusOK:
		c.latencies = append(c.latencies, latency)
	case status == http.StatusServiceUnavailable && retryAfter == "":
		c.missingRetryAfter++
	}
}

// quantile returns a quantile of the latencies of successful requests.
func (c *loadClient) quantile(q float64) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.latencies)
	if len(c.latencies) == 0 {
		return 0
	}
	return c.latencies[int(q*float64(len(c.latencies)-1))]
}

func (c *loadClient) successes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.statuses[http.StatusOK]
}

// requireOnlySuccesses requires the answer 200 to every request.
func (c *loadClient) requireOnlySuccesses(t *testing.T) {
	t.Helper()
	require.Equal(t, map[int]int{http.StatusOK: c.successes()}, c.statuses)
	require.NotZero(t, c.successes())
}

// openLoop starts perSecond calls a second without waiting for earlier ones, then waits for all of them.
func openLoop(perSecond float64, duration time.Duration, do func()) {
	var group sync.WaitGroup
	begin := time.Now()
	for sent := 0; ; {
		passed := time.Since(begin)
		if passed >= duration {
			break
		}
		for due := int(passed.Seconds() * perSecond); sent < due; sent++ {
			group.Go(do)
		}
		time.Sleep(time.Millisecond)
	}
	group.Wait()
}

// closedLoop runs clients that call do sequentially until the duration has passed.
func closedLoop(clients int, duration time.Duration, do func()) {
	var group sync.WaitGroup
	end := time.Now().Add(duration)
	for range clients {
		group.Go(func() {
			for time.Now().Before(end) {
				do()
			}
		})
	}
	group.Wait()
}

// measurementTime returns the duration of VERSIONER_TEST_OVERLOAD, or one that is too short for requirements on speed.
func measurementTime(t *testing.T) (duration time.Duration, isMeasured bool) {
	t.Helper()
	text := os.Getenv("VERSIONER_TEST_OVERLOAD")
	if text == "" {
		return time.Second, false
	}
	duration, err := time.ParseDuration(text)
	require.NoError(t, err)
	return duration, true
}

// startServerWithAccounts runs a server without rate limits on a durable database, and returns an API key of each account.
func startServerWithAccounts(t *testing.T, accounts ...string) (server *program, env, keys []string) {
	t.Helper()
	database, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: newDataDir(t), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	env = environment(newDataDir(t), "DATABASE_URL="+database.DSN(), "VERSIONER_KEY_PEPPER=0123456789012345678901234567890123456789",
		"VERSIONER_ENCRYPTION_KEYS="+strings.Repeat("A", 43)+"=", "VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=0", "VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR=0",
		"VERSIONER_RATE_LIMIT_USER_PER_MINUTE=0")
	server = launch(t, env, "dev")
	for _, account := range accounts {
		key, _, err := call(t, env, "keys", "create", "--account", account, "--name", "ci")
		require.NoError(t, err)
		keys = append(keys, strings.TrimSpace(key))
	}
	return server, env, keys
}

// TestOverload sends three times the capacity of the server: a few events and many pages. Every event is recorded, and the goodput
// stays that of the capacity.
//
//nolint:paralleltest // measures the whole machine
func TestOverload(t *testing.T) {
	duration, isMeasured := measurementTime(t)
	server, env, keys := startServerWithAccounts(t, "acme")
	token, _, err := call(t, env, "token", "--account", "acme", "--role", "viewer")
	require.NoError(t, err)
	token = strings.TrimSpace(token)
	filling := newLoadClient()
	for range 200 {
		filling.event(server.url, keys[0])
	}
	require.Equal(t, 200, filling.successes())

	const share = 10 // requests per event
	peak := newLoadClient()
	var turn atomic.Int64
	closedLoop(16, duration, func() {
		if turn.Add(1)%share == 0 {
			peak.event(server.url, keys[0])
		} else {
			peak.read(server.url, token)
		}
	})
	capacity := float64(peak.successes()) / duration.Seconds()

	events, reads := newLoadClient(), newLoadClient()
	events.number.Store(1_000_000)
	var group sync.WaitGroup
	group.Go(func() { openLoop(3*capacity/share, duration, func() { events.event(server.url, keys[0]) }) })
	group.Go(func() { openLoop(3*capacity*(share-1)/share, duration, func() { reads.read(server.url, token) }) })
	begin := time.Now()
	group.Wait()
	goodput := float64(events.successes()+reads.successes()) / max(time.Since(begin), duration).Seconds()

	t.Logf("capacity %.0f requests a second, p99 %v; %.0f sent a second, %.0f answered (%.0f %%): events %v, p99 %v; reads %v, p99 %v",
		capacity, peak.quantile(0.99), 3*capacity, goodput, 100*goodput/capacity, events.statuses, events.quantile(0.99), reads.statuses, reads.quantile(0.99))
	events.requireOnlySuccesses(t)
	require.Subset(t, []int{http.StatusOK, http.StatusServiceUnavailable}, slices.Collect(maps.Keys(reads.statuses)))
	require.Zero(t, reads.missingRetryAfter, "503 without Retry-After")
	if isMeasured {
		require.GreaterOrEqual(t, goodput/capacity, 0.9)
	}
	server.stop(t)
}

// TestGreedyAccount sends a hundred times as many events for one account as for each of the others, whose latency hardly changes.
//
//nolint:paralleltest // measures the whole machine
func TestGreedyAccount(t *testing.T) {
	duration, isMeasured := measurementTime(t)
	const others, rate, turns = 10, 4, 5
	names := []string{"noisy"}
	for i := range others {
		names = append(names, "other-"+strconv.Itoa(i))
	}
	server, _, keys := startServerWithAccounts(t, names...)
	alone, beside, noisy := newLoadClient(), newLoadClient(), newLoadClient()
	beside.number.Store(1_000_000)
	small := func(c *loadClient) func() {
		return func() { c.event(server.url, keys[1+int(c.number.Load())%others]) }
	}
	openLoop(others*rate, time.Second, small(newLoadClient())) // warms plans and caches
	alone.number.Store(500_000)
	for range turns {
		openLoop(others*rate, duration/turns/2, small(alone))
		var group sync.WaitGroup
		group.Go(func() {
			openLoop(100*rate, duration/turns/2, func() { noisy.event(server.url, keys[0]) })
		})
		openLoop(others*rate, duration/turns/2, small(beside))
		group.Wait()
	}
	t.Logf("alone: %v, p50 %v, p99 %v; beside: %v, p50 %v, p99 %v; the noisy one: %v, p99 %v", alone.statuses, alone.quantile(0.5), alone.quantile(0.99),
		beside.statuses, beside.quantile(0.5), beside.quantile(0.99), noisy.statuses, noisy.quantile(0.99))
	beside.requireOnlySuccesses(t)
	require.Subset(t, []int{http.StatusOK, http.StatusServiceUnavailable}, slices.Collect(maps.Keys(noisy.statuses)))
	if isMeasured {
		require.LessOrEqual(t, beside.quantile(0.99).Seconds()/alone.quantile(0.99).Seconds(), 2.0)
	}
	server.stop(t)
}

// TestSlowConnections runs clients that send a byte at a time, in the headers or in the body, and reconnect. The latency of others hardly
// changes, and the server uses little memory for them. A measurement runs thousands of them, behind nginx as docs/production.md
// configures it; without a proxy, TestMaxConnections shows the bound.
//
//nolint:paralleltest // measures the whole machine
func TestSlowConnections(t *testing.T) {
	duration, isMeasured := measurementTime(t)
	const rate, interval = 40, 2 * time.Second
	server, _, keys := startServerWithAccounts(t, "acme")
	connections, url := 200, server.url
	if isMeasured {
		connections, url = 5000, startProxy(t, server.url)
	}
	alone, beside := newLoadClient(), newLoadClient()
	beside.number.Store(1_000_000)
	openLoop(rate, duration, func() { alone.event(url, keys[0]) })
	before := residentMemory(t, server)

	ctx, stop := context.WithCancel(t.Context())
	var slow sync.WaitGroup
	var open, served atomic.Int64
	for i := range connections {
		slow.Go(func() {
			time.Sleep(time.Duration(i) * interval / time.Duration(connections)) // spread over the interval
			for ctx.Err() == nil {
				if err := sendSlowly(ctx, url, keys[0], i%2 == 0, interval, &open); err == nil {
					served.Add(1)
				}
			}
		})
	}
	require.Eventually(t, func() bool { return open.Load() >= int64(connections)*9/10 }, time.Minute, time.Millisecond)
	openLoop(rate, duration, func() { beside.event(url, keys[0]) })
	held := residentMemory(t, server) - before
	stillOpen := open.Load()
	stop()
	slow.Wait()

	t.Logf("alone: p50 %v, p99 %v; beside %d slow connections: p50 %v, p99 %v, %d MB more", alone.quantile(0.5), alone.quantile(0.99),
		stillOpen, beside.quantile(0.5), beside.quantile(0.99), held>>20)
	alone.requireOnlySuccesses(t)
	beside.requireOnlySuccesses(t)
	require.Zero(t, served.Load(), "success for an incomplete request")
	if isMeasured {
		require.Less(t, held>>20, int64(100))
		require.LessOrEqual(t, beside.quantile(0.99).Seconds()/alone.quantile(0.99).Seconds(), 2.0)
	}
	server.stop(t)
}

// startProxy runs nginx in front of a server with the configuration of docs/production.md, and returns its address.
func startProxy(t *testing.T, server string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/production.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(page), "```nginx\n")
	require.True(t, found)
	site, _, _ := strings.Cut(after, "```")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	site = strings.NewReplacer("10.0.0.11:8080", strings.TrimPrefix(server, "http://"), "listen 80;", "listen "+address+";").Replace(site)
	site = regexp.MustCompile(`(?m)^ *server 10\.0\.0\.12.*\n`).ReplaceAllString(site, "")
	dir := newDataDir(t)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	config := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(config, []byte("daemon off;\nmaster_process off;\npid "+dir+"/nginx.pid;\nevents { worker_connections 16384; }\nhttp {\naccess_log off;\n"+
		"client_body_temp_path "+dir+"/bodies;\nproxy_temp_path "+dir+"/answers;\n"+site+"}\n"), 0o600))
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	proxy := exec.CommandContext(t.Context(), "nginx", "-p", dir, "-e", "stderr", "-c", config)
	proxy.Stderr = t.Output()
	require.NoError(t, proxy.Start())
	t.Cleanup(func() { _ = proxy.Wait() })
	require.Eventually(t, func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, time.Minute, 10*time.Millisecond)
	return "http://" + address
}

// sendSlowly sends a byte of a request per interval, and returns nil for a successful answer.
func sendSlowly(ctx context.Context, server, key string, inHeaders bool, interval time.Duration, open *atomic.Int64) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(server, "http://"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	open.Add(1)
	defer open.Add(-1)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	fast := "POST /deployment-events/ HTTP/1.1\r\nHost: versioner\r\n"
	if !inHeaders {
		fast += "Authorization: Bearer " + key + "\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
	}
	if _, err := io.WriteString(conn, fast); err != nil {
		return err
	}
	answered := make(chan error, 1)
	go func() {
		status, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil && !strings.Contains(status, " 200 ") {
			err = errors.New(status)
		}
		answered <- err
	}()
	for {
		select {
		case err := <-answered:
			return err
		case <-time.After(interval):
			if _, err := io.WriteString(conn, "x"); err != nil {
				return err
			}
		}
	}
}

// residentMemory returns the resident memory of a program in bytes.
func residentMemory(t *testing.T, p *program) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if os.IsNotExist(err) {
		t.Log("no /proc: the memory is not measured")
		return 0
	}
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kilobytes int64
			_, err := fmt.Sscan(text, &kilobytes)
			require.NoError(t, err)
			return kilobytes << 10
		}
	}
	require.Fail(t, "no VmRSS")
	return 0
}
