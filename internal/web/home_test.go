package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/web"
)

func TestHome(t *testing.T) {
	t.Parallel()

	t.Run("ShowsVersionAndLinks", func(t *testing.T) {
		t.Parallel()

		answer := getHome(t, "1.2.3")
		require.Equal(t, http.StatusOK, answer.Code)
		require.Equal(t, "text/html; charset=utf-8", answer.Header().Get("Content-Type"))

		html := answer.Body.String()
		require.Contains(t, html, "Version 1.2.3")

		for _, path := range []string{"/app/", "/docs", "/redoc", "/openapi.json", "/health/ready"} {
			require.Contains(t, html, `<a href="`+path+`"`)
		}
	})

	t.Run("EscapesTheVersion", func(t *testing.T) {
		t.Parallel()
		require.Contains(t, getHome(t, "1<b>").Body.String(), "Version 1&lt;b&gt;")
	})

	t.Run("HasNoScript", func(t *testing.T) {
		t.Parallel()
		require.NotContains(t, getHome(t, "1.2.3").Body.String(), "<script")
		require.NotContains(t, home(t).ContentSecurityPolicy, "script-src")
	})
}

// home returns the page of GET /.
func home(t *testing.T) web.Page {
	t.Helper()

	answer := getHome(t, "1.2.3")

	return web.Page{HTML: answer.Body.Bytes(), ContentSecurityPolicy: answer.Header().Get("Content-Security-Policy")}
}

func getHome(t *testing.T, version string) *httptest.ResponseRecorder {
	t.Helper()

	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	recorder := httptest.NewRecorder()
	web.Home(version).ServeHTTP(recorder, request)

	return recorder
}
