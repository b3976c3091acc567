package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestUserRequests terminates the database sessions of requests in flight.
func TestUserRequests(t *testing.T) {
	t.Parallel()
	const testTimeout = time.Minute
	// hold runs a statement that blocks others until the transaction of the connection ends.
	hold := func(t *testing.T, api *testapi.API, statement string) (release func()) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), api.DSN)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
		_, err = conn.Exec(t.Context(), "BEGIN; "+statement)
		require.NoError(t, err)
		return func() {
			_, err := conn.Exec(t.Context(), "ROLLBACK")
			require.NoError(t, err)
		}
	}
	send := func(t *testing.T, api *testapi.API, role, method, path, body string) <-chan int {
		t.Helper()
		status := make(chan int, 1)
		go func() { status <- api.As(t, role, method, path, body).Status }()
		return status
	}
	requireStatus := func(t *testing.T, expected int, status <-chan int) {
		t.Helper()
		select {
		case got := <-status:
			require.Equal(t, expected, got)
		case <-time.After(testTimeout):
			require.Fail(t, "no answer")
		}
	}
	terminateBlocked := func(t *testing.T, api *testapi.API) {
		t.Helper()
		waitForBlocked(t, api)
		api.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	}
	newAPI := func(t *testing.T) (api *testapi.API, product string) {
		t.Helper()
		api = testapi.New(t)
		created := api.As(t, "admin", http.MethodPost, "/products/", `{"name":"existing"}`)
		require.Equal(t, http.StatusCreated, created.Status)
		return api, "/products/" + fmt.Sprint(created.Field(t, "id"))
	}

	for name, test := range map[string]struct {
		method, body string
		isOne        bool
		status       int
	}{
		"ListsAreRepeated":  {method: http.MethodGet, status: http.StatusOK},
		"ReadsAreRepeated":  {method: http.MethodGet, isOne: true, status: http.StatusOK},
		"WritesAreRepeated": {method: http.MethodPost, body: `{"name":"p"}`, status: http.StatusCreated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, path := newAPI(t)
			if !test.isOne {
				path = "/products/"
			}
			release := hold(t, api, "LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
			status := send(t, api, "admin", test.method, path, test.body)
			terminateBlocked(t, api)
			release()
			requireStatus(t, test.status, status)
			if test.method == http.MethodPost {
				require.Equal(t, 1, api.Count(t, "products WHERE name = 'p'"))
			}
		})
	}

	t.Run("ThatMayBeCommittedAreNotRepeated", func(t *testing.T) {
		t.Parallel()
		api, _ := newAPI(t)
		api.Exec(t, `CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
			CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON products DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()`)
		release := hold(t, api, "SELECT pg_advisory_xact_lock(7)")
		status := send(t, api, "admin", http.MethodPost, "/products/", `{"name":"p"}`)
		terminateBlocked(t, api)
		release()
		requireStatus(t, http.StatusServiceUnavailable, status)
		require.Zero(t, api.Count(t, "products WHERE name = 'p'"))
	})

	for name, table := range map[string]string{"TimeOutInTheHandler": "releases", "TimeOutInAuthentication": "users"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, _ := newAPI(t)
			hold(t, api, "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE")
			begin := time.Now() // the viewer is not cached
			requireStatus(t, http.StatusServiceUnavailable, send(t, api, "viewer", http.MethodGet, "/releases/", ""))
			require.Less(t, time.Since(begin), 19*time.Second, "one time limit for all that a request waits for")
		})
	}
}
