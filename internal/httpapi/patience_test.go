package httpapi_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestPeopleWaitForTheDatabase takes the database away from requests that are under way.
func TestPeopleWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	const patience = time.Minute // of the test, not of the server
	// holding runs a statement that keeps others waiting, until the connection's transaction ends.
	holding := func(t *testing.T, api *testapi.API, statement string) *pgx.Conn {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), api.DSN)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
		_, err = conn.Exec(t.Context(), "BEGIN; "+statement)
		require.NoError(t, err)
		return conn
	}
	asking := func(t *testing.T, api *testapi.API, method, path, body string) <-chan int {
		t.Helper()
		status := make(chan int, 1)
		go func() { status <- api.As(t, "admin", method, path, body).Status }()
		return status
	}
	answered := func(t *testing.T, status <-chan int) int {
		t.Helper()
		select {
		case got := <-status:
			return got
		case <-time.After(patience):
			require.Fail(t, "no answer")
			return 0
		}
	}
	untilHeld := func(t *testing.T, api *testapi.API) {
		t.Helper()
		require.Eventually(t, func() bool { return lockedOut(t, api) > 0 }, patience, 5*time.Millisecond)
	}
	const cutOff = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
	newAPI := func(t *testing.T) *testapi.API {
		t.Helper()
		api := testapi.New(t)
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodGet, "/products/", "").Status)
		return api
	}

	for name, test := range map[string]struct {
		method, body string
		status       int
	}{
		"ReadsAreTriedAgain":  {http.MethodGet, "", http.StatusOK},
		"WritesAreTriedAgain": {http.MethodPost, `{"name":"p"}`, http.StatusCreated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newAPI(t)
			lock := holding(t, api, "LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
			status := asking(t, api, test.method, "/products/", test.body)
			untilHeld(t, api)
			api.Exec(t, cutOff)
			_, err := lock.Exec(t.Context(), "ROLLBACK")
			require.NoError(t, err)
			require.Equal(t, test.status, answered(t, status))
			if test.method == http.MethodPost {
				require.Equal(t, 1, api.Count(t, "products"))
			}
		})
	}

	t.Run("WhatMayBeCommittedIsNot", func(t *testing.T) {
		t.Parallel()
		api := newAPI(t)
		api.Exec(t, `CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
			CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON products DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()`)
		lock := holding(t, api, "SELECT pg_advisory_xact_lock(7)")
		status := asking(t, api, http.MethodPost, "/products/", `{"name":"p"}`)
		untilHeld(t, api)
		api.Exec(t, cutOff)
		_, err := lock.Exec(t.Context(), "ROLLBACK")
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, answered(t, status))
		require.Zero(t, api.Count(t, "products"))
	})

	for name, table := range map[string]string{"HandlersDoNotHang": "releases", "NorDoesFindingOutWhoTheyAre": "users"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newAPI(t)
			holding(t, api, "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE")
			require.Equal(t, http.StatusServiceUnavailable, answered(t, asking(t, api, http.MethodGet, "/releases/", "")))
		})
	}
}
