package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// freeAddr returns an address without a listener.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func isReady(address string) bool {
	response, err := http.Get("http://" + address + "/health/ready")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// balancer is a proxy to the servers that were ready at its last check.
type balancer struct {
	mu      sync.Mutex
	proxies map[string]*httputil.ReverseProxy
	ready   []string
	next    int
	lost    int // requests that no server answered
}

func newBalancer(t *testing.T, addresses []string) (*balancer, string) {
	t.Helper()
	b := &balancer{proxies: make(map[string]*httputil.ReverseProxy)}
	for _, address := range addresses {
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
		proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
		proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.lost++
			t.Logf("lost: %v", err)
			w.WriteHeader(http.StatusBadGateway)
		}
		b.proxies[address] = proxy
	}
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		for {
			var ready []string
			for _, address := range addresses {
				if isReady(address) {
					ready = append(ready, address)
				}
			}
			b.mu.Lock()
			b.ready = ready
			b.mu.Unlock()
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		if len(b.ready) == 0 {
			b.lost++
			b.mu.Unlock()
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		b.next++
		proxy := b.proxies[b.ready[b.next%len(b.ready)]]
		b.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return b, server.URL
}

// terminate sends SIGTERM, which drains the server, and requires a clean exit.
func (p *program) terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-p.exited, "%s", p.stderr)
}

// TestRollingRestarts restarts two servers behind a proxy in turns while eight clients send events, and loses nothing.
// VERSIONER_TEST_RESTARTS is the number of restarts.
func TestRollingRestarts(t *testing.T) {
	t.Parallel()
	restarts := 2
	if text := os.Getenv("VERSIONER_TEST_RESTARTS"); text != "" {
		var err error
		restarts, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	database, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: newDataDir(t), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	env := func(address string) []string {
		return append(environment(newDataDir(t), "DATABASE_URL="+database.DSN(), "VERSIONER_KEY_PEPPER=0123456789012345678901234567890123456789",
			"VERSIONER_ENCRYPTION_KEYS="+strings.Repeat("A", 43)+"=", "VERSIONER_DRAIN_DELAY=1s",
			"VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=0", "VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR=0"), "VERSIONER_ADDR="+address)
	}
	addresses := []string{freeAddr(t), freeAddr(t)}
	servers, envs := make([]*program, 2), make([][]string, 2)
	for i, address := range addresses {
		envs[i] = env(address)
		servers[i] = launch(t, envs[i], "serve")
	}
	key, _, err := call(t, envs[0], "keys", "create", "--account", "acme", "--name", "ci")
	require.NoError(t, err)
	balancer, proxy := newBalancer(t, addresses)
	require.Eventually(t, func() bool {
		balancer.mu.Lock()
		defer balancer.mu.Unlock()
		return len(balancer.ready) == 2
	}, time.Minute, 10*time.Millisecond)

	load := newWriters(proxy, strings.TrimSpace(key), 8)
	for restart := range restarts {
		i := restart % 2
		begin := time.Now()
		servers[i].terminate(t)
		require.Less(t, time.Since(begin), 28*time.Second)
		servers[i] = launch(t, envs[i], "serve")
		require.Eventually(t, func() bool { return isReady(addresses[i]) }, time.Minute, 10*time.Millisecond)
		time.Sleep(300 * time.Millisecond) // until the proxy has checked it
	}
	load.stop()
	require.Zero(t, balancer.lost)
	require.Equal(t, map[int]int{http.StatusOK: load.statuses[http.StatusOK]}, load.statuses)
	load.requireExactlyOnce(t, database.DSN())
	for _, server := range servers {
		server.stop(t)
	}
}
