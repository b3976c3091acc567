package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testapi"
)

// requireMetrics requires series to have these values.
func requireMetrics(t *testing.T, api *testapi.API, want map[string]float64) {
	t.Helper()
	for series, value := range want {
		require.InDelta(t, value, api.Metric(t, series), 1e-9, series)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()

	t.Run("CountRequestsAndCredentials", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		require.Equal(t, http.StatusOK, api.As(t, "viewer", http.MethodGet, "/products/", "").Status)
		request := api.Request(t, http.MethodGet, "/products/", nil)
		request.Header.Set("Authorization", "Bearer "+api.Key)
		require.Equal(t, http.StatusForbidden, api.Do(t, request).Status)
		api.Key = strings.Replace(api.Key, "sk_", "sk_x", 1)
		require.Equal(t, http.StatusUnauthorized, api.Post(t, deploymentEvents, `{}`).Status)
		require.Equal(t, http.StatusUnauthorized, api.Get(t, "/products/").Status)
		require.Equal(t, http.StatusUnauthorized, api.WithCookie(t, &http.Cookie{Name: "__session", Value: "x"}, http.MethodGet, "/products/", "").Status)
		require.Equal(t, http.StatusOK, api.WithCookie(t, api.SignIn(t, testapi.Account, "viewer"), http.MethodGet, "/products/", "").Status)
		require.Equal(t, http.StatusNotFound, api.Get(t, "/nothing-here").Status)
		requireMetrics(t, api, map[string]float64{
			`versioner_http_requests_total{code="200",operation="listProducts"}`:                 2,
			`versioner_http_requests_total{code="403",operation="listProducts"}`:                 1,
			`versioner_http_requests_total{code="401",operation="listProducts"}`:                 2,
			`versioner_http_requests_total{code="401",operation="createDeploymentEvent"}`:        1,
			`versioner_http_requests_total{code="404",operation="other"}`:                        1,
			`versioner_http_request_duration_seconds_count{operation="listProducts"}`:            5,
			`versioner_auth_total{outcome="accepted",scheme="JWTAuth"}`:                          2, // SignIn sends one, too
			`versioner_auth_total{outcome="accepted",scheme="SessionCookie"}`:                    1,
			`versioner_auth_total{outcome="forbidden",scheme="ApiKeyAuth"}`:                      1,
			`versioner_auth_total{outcome="rejected",scheme="ApiKeyAuth"}`:                       1,
			`versioner_auth_total{outcome="rejected",scheme="none"}`:                             1,
			`versioner_auth_total{outcome="rejected",scheme="JWTAuth"}`:                          1,
			`versioner_db_pool_connections{pool="api",state="acquired"}`:                         0,
			`versioner_validator_gap_total`:                                                      0,
			`versioner_http_request_duration_seconds_bucket{operation="listProducts",le="+Inf"}`: 5,
		})
		require.Positive(t, api.Metric(t, `versioner_db_pool_acquire_seconds_count{pool="api"}`))
		require.Positive(t, api.Metric(t, `versioner_db_pool_acquire_seconds_count{pool="auth"}`))
		require.Positive(t, api.Metric(t, `versioner_db_pool_connections{pool="api",state="idle"}`))
	})

	t.Run("CountEvents", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		event := deployment(nil)
		for range 3 {
			api.PostEvent(t, deploymentEvents, event)
		}
		requireMetrics(t, api, map[string]float64{
			`versioner_ingest_events_total{effect="created",type="deployment.started"}`:   1,
			`versioner_ingest_events_total{effect="duplicate",type="deployment.started"}`: 2,
			`versioner_ingest_batch_events_count`:                                         3,
			`versioner_ingest_batch_events_sum`:                                           3,
			`versioner_ingest_queue_wait_seconds_count`:                                   3,
			`versioner_ingest_queue_events`:                                               0,
		})
		require.Eventually(t, func() bool { return api.Metric(t, "versioner_listener_up") == 1 }, 10*time.Second, 10*time.Millisecond)
		api.PostEvent(t, deploymentEvents, event)
		hits := api.Metric(t, `versioner_credential_cache_total{outcome="hit"}`)
		api.PostEvent(t, deploymentEvents, event)
		require.InDelta(t, hits+1, api.Metric(t, `versioner_credential_cache_total{outcome="hit"}`), 1e-9)
	})

	t.Run("CountQueuedEvents", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		api.PostEvent(t, deploymentEvents, deployment(nil))
		unlock := lockTable(t, api, "environment_state")
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			api.Post(t, deploymentEvents, `{"product_name":"checkout","version":"9","environment_name":"production","status":"completed"}`)
		}()
		require.Eventually(t, func() bool { return api.Metric(t, "versioner_ingest_queue_events") == 1 }, 10*time.Second, time.Millisecond)
		require.Eventually(t, func() bool { return api.Metric(t, `versioner_db_errors_total{class="55"}`) > 0 }, 10*time.Second, 10*time.Millisecond, "a lock timeout")
		unlock()
		<-answered
		require.Zero(t, api.Metric(t, "versioner_ingest_queue_events"))
	})

	t.Run("CountQuotas", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithLimits(httpapi.Limits{KeyPerMinute: 2, AccountPerHour: 100, FailuresPerMinute: 1}))
		for range 3 {
			api.Post(t, deploymentEvents, `{}`)
		}
		for range 2 {
			require.NotEqual(t, http.StatusOK, api.Get(t, "/products/").Status)
		}
		requireMetrics(t, api, map[string]float64{
			`versioner_rate_limit_total{limiter="key",outcome="admitted"}`:      2,
			`versioner_rate_limit_total{limiter="key",outcome="rejected"}`:      1,
			`versioner_rate_limit_total{limiter="account",outcome="admitted"}`:  2,
			`versioner_rate_limit_total{limiter="account",outcome="rejected"}`:  0,
			`versioner_rate_limit_total{limiter="failures",outcome="admitted"}`: 1,
			`versioner_rate_limit_total{limiter="failures",outcome="rejected"}`: 1,
		})
	})

	t.Run("CountRejectedAdmissions", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithAPIPool(postgres.APILimits{MaxConns: 1, MaxQueued: 1}))
		unlock := lockTable(t, api, "releases")
		answers := make(chan int)
		for range 3 {
			go func() { answers <- api.As(t, "viewer", http.MethodGet, "/releases/", "").Status }()
		}
		require.Equal(t, http.StatusServiceUnavailable, <-answers, "one runs and one waits")
		require.Positive(t, api.Metric(t, `versioner_admission_rejected_total{pool="api"}`))
		unlock()
		require.Equal(t, []int{http.StatusOK, http.StatusOK}, []int{<-answers, <-answers})
	})
}

// lockTable locks a table until the returned function is called.
func lockTable(t *testing.T, api *testapi.API, table string) (unlock func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), api.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	return func() {
		_, err := conn.Exec(t.Context(), "ROLLBACK")
		require.NoError(t, err)
	}
}
