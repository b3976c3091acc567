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
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/testapi"
)

// TestPlacesAreForWork has one account keep the server busy in every way that takes it no work: others are served.
func TestPlacesAreForWork(t *testing.T) {
	t.Parallel()
	places := func(t *testing.T, number int) *testapi.API {
		t.Helper()
		api := testapi.New(t, testapi.WithLimits(httpapi.Limits{PeopleAtOnce: number, PeopleWaiting: 16}))
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

	t.Run("AnAccountHasHalfOfThem", func(t *testing.T) {
		t.Parallel()
		api := places(t, 4)
		conn, err := pgx.Connect(t.Context(), api.DSN)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
		_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE releases IN ACCESS EXCLUSIVE MODE")
		require.NoError(t, err)
		var waiting sync.WaitGroup
		for range 8 {
			waiting.Go(func() { api.As(t, "viewer", http.MethodGet, "/releases/", "") })
		}
		require.Eventually(t, func() bool { return lockedOut(t, api) >= 2 }, time.Minute, 10*time.Millisecond)
		requireServed(t, api, "other")
		_, err = conn.Exec(t.Context(), "ROLLBACK")
		require.NoError(t, err)
		waiting.Wait()
	})

	t.Run("NotForABodyThatDoesNotCome", func(t *testing.T) {
		t.Parallel()
		api := places(t, 1)
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

	t.Run("NotForAnAnswerThatIsNotRead", func(t *testing.T) {
		t.Parallel()
		api := places(t, 1)
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
		api := places(t, 1)
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

// lockedOut tells how many statements of an API wait for a lock.
func lockedOut(t *testing.T, api *testapi.API) (waiting int) {
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
