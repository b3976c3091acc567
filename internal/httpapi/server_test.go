package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/testapi"
)

func TestSlashes(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for _, path := range []string{"/deployment-events", "/deployment-events/", "//deployment-events/", "//deployment-events", "///deployment-events//"} {
		answer := api.PostEvent(t, path, deployment(nil))
		require.Equal(t, "started", answer.Field(t, "status"), path)
	}
	require.Equal(t, 1, api.Count(t, "events"))
	for _, path := range []string{"/health", "/health/", "//health/", "/health/ready/", "//openapi.json", "/docs/", "//redoc/", "/", "//"} {
		require.Equal(t, http.StatusOK, api.Get(t, path).Status, path)
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)

	t.Run("UnknownPathIs404", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/nothing", "/deployment-events/7", "/assets/nothing.js", "/health/../nothing", "/%2e%2e/x"} {
			answer := api.Get(t, path)
			require.Equal(t, http.StatusNotFound, answer.Status, path)
			require.Equal(t, `{"detail":"Not found"}`, string(answer.Body), path)
		}
	})

	t.Run("WrongMethodIs405", func(t *testing.T) {
		t.Parallel()
		for path, allowed := range map[string]string{"/deployment-events/": "POST", "/deployment-events": "POST", "/health": "OPTIONS, GET, HEAD"} {
			answer := api.Do(t, api.Request(t, http.MethodDelete, path, nil))
			require.Equal(t, http.StatusMethodNotAllowed, answer.Status)
			require.Equal(t, `{"detail":"Method not allowed"}`, string(answer.Body))
			require.Contains(t, answer.Header.Get("Allow"), allowed)
		}
	})

	t.Run("HEADIsAnsweredAsGETWithoutBody", func(t *testing.T) {
		t.Parallel()
		answer := api.Do(t, api.Request(t, http.MethodHead, "/docs", nil))
		require.Equal(t, http.StatusOK, answer.Status)
		require.Empty(t, answer.Body)
		require.Equal(t, http.StatusMethodNotAllowed, api.Do(t, api.Request(t, http.MethodHead, deploymentEvents, nil)).Status)
	})
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for given, echoed := range map[string]bool{"abc-123_4.5": true, "": false, "with space": false, strings.Repeat("x", 129): false, `"><script>`: false} {
		request := api.Request(t, http.MethodGet, "/health", nil)
		request.Header.Set("X-Request-ID", given)
		got := api.Do(t, request).Header.Get("X-Request-ID")
		if echoed {
			require.Equal(t, given, got)
		} else {
			require.NotEqual(t, given, got)
			require.NotEmpty(t, got)
		}
	}
}

// panicking simulates an internal error.
type panicking struct{ apigen.SecurityHandler }

func (panicking) ApiKeyAuth(context.Context, *http.Request) (context.Context, error) {
	panic("the secret cause")
}

func TestPanicIs500AndLeaksNothing(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithSecurity(func(next apigen.SecurityHandler) apigen.SecurityHandler { return panicking{next} }))
	answer := api.Post(t, deploymentEvents, "{}")
	require.Equal(t, http.StatusInternalServerError, answer.Status)
	require.Equal(t, `{"detail":"Internal server error"}`, string(answer.Body))
	require.NotEmpty(t, answer.Header.Get("X-Request-ID"), "something to quote")
	require.Contains(t, api.Logs.String(), "the secret cause")
	require.Equal(t, http.StatusOK, api.Get(t, "/health").Status)
}

// unaware stands for validators that cannot find out about anything.
type unaware struct{ apigen.SecurityHandler }

func (unaware) JWTAuth(ctx context.Context, _ *http.Request) (context.Context, error) {
	return ctx, apperr.Wrap(apperr.Unavailable, "Service temporarily unavailable", errors.New("away"))
}

// TestUnknownCredentialIsNotRefused sends a credential of another scheme while it cannot be verified.
func TestUnknownCredentialIsNotRefused(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithLimits(httpapi.Limits{FailuresPerMinute: 1}),
		testapi.WithSecurity(func(next apigen.SecurityHandler) apigen.SecurityHandler { return unaware{next} }))
	for range 3 { // and it counts as no failure
		request := api.Request(t, http.MethodPost, deploymentEvents, []byte("{}"))
		request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
		require.Equal(t, http.StatusServiceUnavailable, api.Do(t, request).Status)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	request := api.Request(t, http.MethodPost, deploymentEvents, []byte(sent("version", `"top-secret-version"`)))
	request.Header.Set("Authorization", "Bearer "+api.Key)
	request.Header.Set("X-Request-ID", "quote-me")
	api.Do(t, request)

	var lines []map[string]any
	for text := range strings.Lines(api.Logs.String()) {
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		if line["request_id"] == "quote-me" {
			lines = append(lines, line)
		}
	}
	require.Len(t, lines, 1, "one line for each request")
	for name, want := range map[string]any{
		"msg": "request", "operation": "createDeploymentEvent", "account": testapi.Account, "status": 200.0, "method": "POST", "path": deploymentEvents,
	} {
		require.Equal(t, want, lines[0][name], name)
	}
	require.Contains(t, lines[0], "duration_ms")
	require.Contains(t, string(api.As(t, "admin", http.MethodGet, "/api-keys/", "").Body), lines[0]["api_key_id"], "whose it was")
	require.NotContains(t, lines[0], "user_id")
	require.NotContains(t, api.Logs.String(), api.Key)
	require.NotContains(t, api.Logs.String(), api.Key[len(api.Key)-20:])
	require.NotContains(t, api.Logs.String(), "top-secret-version")
}

func TestHealth(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	require.JSONEq(t, `{"status":"ok","version":"0.1.0"}`, string(api.Get(t, "/health").Body))
	require.Equal(t, http.StatusOK, api.Get(t, "/health/ready").Status)

	api.Exec(t, "DELETE FROM goose_db_version WHERE version_id > 1")
	var answer testapi.Answer
	require.Eventually(t, func() bool { // results are cached for a second
		answer = api.Get(t, "/health/ready")
		return answer.Status == http.StatusServiceUnavailable
	}, time.Minute, 100*time.Millisecond)
	require.Equal(t, `{"detail":"Service temporarily unavailable"}`, string(answer.Body))
	require.NotEmpty(t, answer.Header.Get("Retry-After"))

	require.Equal(t, http.StatusOK, api.Get(t, "/health").Status, "the process is alive all the same")
}

func TestPublicPages(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for _, path := range []string{"/docs", "/redoc"} {
		answer := api.Get(t, path)
		require.Equal(t, http.StatusOK, answer.Status)
		require.Contains(t, answer.Header.Get("Content-Type"), "text/html")
		require.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'")
		require.Contains(t, string(answer.Body), "/assets/")
	}
	home := api.Get(t, "/")
	require.Contains(t, home.Header.Get("Content-Type"), "text/html")
	require.Contains(t, home.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Contains(t, string(home.Body), "Version 0.1.0")
	icon := api.Get(t, "/favicon.ico")
	require.Equal(t, http.StatusOK, icon.Status)
	require.Equal(t, "image/svg+xml", icon.Header.Get("Content-Type"))

	document := api.Get(t, "/openapi.json")
	require.Equal(t, "application/json", document.Header.Get("Content-Type"))
	require.Equal(t, string(apigen.SpecificationJSON), string(document.Body))
}

func TestKeyIsNotNeededForWhatIsPublic(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for _, path := range []string{"/health", "/health/ready", "/openapi.json", "/docs", "/redoc", "/", "/favicon.ico"} {
		request := api.Request(t, http.MethodGet, path, nil)
		request.Header.Set("Authorization", "Bearer nonsense")
		require.Equal(t, http.StatusOK, api.Do(t, request).Status, path)
	}
	require.Zero(t, authn.PrincipalFrom(t.Context()))
}
