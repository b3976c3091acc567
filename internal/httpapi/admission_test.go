package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testapi"
)

// TestSlotHeldOnlyWhileWorking lets one account occupy the server in every way that needs no database: others are served.
func TestSlotHeldOnlyWhileWorking(t *testing.T) {
	t.Parallel()
	bounded := func(t *testing.T, number int) *testapi.API {
		t.Helper()
		api := testapi.New(t, testapi.WithAPIPool(postgres.APILimits{MaxConns: number, MaxQueued: 16}))
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodGet, "/products/", "").Status)
		return api
	}
	requireServed := func(t *testing.T, api *testapi.API, account string) {
		t.Helper()
		request := api.Request(t, http.MethodGet, "/environments/", nil)
		request.Header.Set("Authorization", "Bearer "+api.Token(t, account, "viewer"))
		answer := api.Do(t, request)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	}

	t.Run("AccountHasHalfOfTheSlots", func(t *testing.T) {
		t.Parallel()
		api := bounded(t, 4)
		conn, err := pgx.Connect(t.Context(), api.DSN)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
		_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE releases IN ACCESS EXCLUSIVE MODE")
		require.NoError(t, err)
		var waiting sync.WaitGroup
		for range 8 {
			waiting.Go(func() { api.As(t, "viewer", http.MethodGet, "/releases/", "") })
		}
		require.Eventually(t, func() bool { return countBlocked(t, api) >= 2 }, time.Minute, 10*time.Millisecond)
		requireServed(t, api, "other")
		_, err = conn.Exec(t.Context(), "ROLLBACK")
		require.NoError(t, err)
		waiting.Wait()
	})

	t.Run("NotForAnIncompleteBody", func(t *testing.T) {
		t.Parallel()
		api := bounded(t, 1)
		head := "POST /products/ HTTP/1.1\r\nHost: versioner\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n" +
			"Authorization: Bearer " + api.Token(t, testapi.Account, "admin") + "\r\n\r\n"
		conn := send(t, api, head)
		line := make([]byte, len("HTTP/1.1 100 Continue\r\n"))
		_, err := io.ReadFull(conn, line) // the body is being read
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 100 Continue\r\n", string(line))
		_, err = io.WriteString(conn, "{")
		require.NoError(t, err)
		requireServed(t, api, testapi.Account)
		requireServed(t, api, "other")
	})

	t.Run("NotForAnUnreadAnswer", func(t *testing.T) {
		t.Parallel()
		api := bounded(t, 1)
		api.Exec(t, `INSERT INTO products (account_id, id, name, extra_metadata, created_at, updated_at)
			SELECT a.id, gen_random_uuid(), 'p' || n, jsonb_build_object('x', repeat('x', 250000)), now(), now() FROM accounts a, generate_series(1, 100) n WHERE a.slug = '`+testapi.Account+`'`)
		conn := send(t, api, "GET /products/?limit=100 HTTP/1.1\r\nHost: versioner\r\nAuthorization: Bearer "+api.Token(t, testapi.Account, "viewer")+"\r\n\r\n")
		_, err := io.ReadFull(conn, make([]byte, 1)) // the answer is being sent
		require.NoError(t, err)
		requireServed(t, api, testapi.Account)
		requireServed(t, api, "other")
	})

	t.Run("NotForAReceiverThatDoesNotAnswer", func(t *testing.T) {
		t.Parallel()
		api := bounded(t, 1)
		called, released := make(chan struct{}), make(chan struct{})
		receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(called)
			<-released
		}))
		t.Cleanup(receiver.Close)
		release := sync.OnceFunc(func() { close(released) })
		t.Cleanup(release)
		made := api.As(t, "admin", http.MethodPost, "/notification-channels/", fmt.Sprintf(`{"name":"c","channel_type":"webhook","config":{"url":%q}}`, receiver.URL))
		require.Equal(t, http.StatusCreated, made.Status, "%s", made.Body)
		var tested sync.WaitGroup
		tested.Go(func() {
			var answer struct{ Delivered bool }
			_ = json.Unmarshal(api.As(t, "admin", http.MethodPost, "/notification-channels/"+made.Field(t, "id").(string)+"/test", "").Body, &answer)
			if !answer.Delivered {
				t.Error("the test did not wait for the receiver")
			}
		})
		<-called
		requireServed(t, api, testapi.Account)
		requireServed(t, api, "other")
		release()
		tested.Wait()
	})
}

// TestOverload blocks requests of users until the pool and its queue are full.
func TestOverload(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithAPIPool(postgres.APILimits{MaxConns: 4, MaxQueued: 4}))
	read := func(account string) testapi.Answer {
		request := api.Request(t, http.MethodGet, "/releases/", nil)
		request.Header.Set("Authorization", "Bearer "+api.Token(t, account, "viewer"))
		return api.Do(t, request)
	}
	for _, account := range []string{testapi.Account, "second"} {
		require.Equal(t, http.StatusOK, read(account).Status)
	}
	conn, err := pgx.Connect(t.Context(), api.DSN)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE releases IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)

	var waiting sync.WaitGroup
	var served, refused atomic.Int64
	hold := func(account string, count int) {
		for range count {
			waiting.Go(func() {
				answer := read(account)
				switch {
				case answer.Status == http.StatusOK:
					served.Add(1)
				case answer.Status == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "":
					refused.Add(1)
				}
			})
		}
	}
	requireRejected := func(count int64) {
		require.Eventually(t, func() bool { return refused.Load() == count }, time.Minute, 10*time.Millisecond)
	}
	hold(testapi.Account, 7)
	requireRejected(1) // two run, four are queued
	hold("second", 4)
	requireRejected(3) // two run, two are queued and have evicted two of the first account
	hold("second", 1)
	requireRejected(4) // both have as many queued
	require.Zero(t, served.Load())
	api.PostEvent(t, deploymentEvents, deployment(nil)) // events have a pool of their own
	_, err = conn.Exec(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	waiting.Wait()
	require.Equal(t, int64(8), served.Load())
	require.Equal(t, int64(4), refused.Load())
	require.Equal(t, http.StatusOK, read("second").Status)
}

// countBlocked returns how many statements of an API wait for a lock.
func countBlocked(t *testing.T, api *testapi.API) (waiting int) {
	t.Helper()
	api.Scan(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'", &waiting)
	return waiting
}

// send writes the beginning of a request on a connection that takes little of the answer.
func send(t *testing.T, api *testapi.API, text string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(api.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	if tcp, ok := conn.(*net.TCPConn); ok {
		require.NoError(t, tcp.SetReadBuffer(4096))
	}
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn
}
