package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/web"
)

const browsersAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

func TestHome(t *testing.T) {
	t.Parallel()

	t.Run("TellsAPersonTheVersionAndTheWay", func(t *testing.T) {
		t.Parallel()

		answer := getHome(t, "1.2.3", browsersAccept)
		require.Equal(t, http.StatusOK, answer.Code)
		require.Equal(t, "text/html; charset=utf-8", answer.Header().Get("Content-Type"))

		html := answer.Body.String()
		require.Contains(t, html, "Version 1.2.3")

		for _, way := range []string{"/docs", "/redoc", "/openapi.json", "/health/ready"} {
			require.Contains(t, html, `<a href="`+way+`"`)
		}
	})

	t.Run("EscapesTheVersion", func(t *testing.T) {
		t.Parallel()
		require.Contains(t, getHome(t, "1<b>", browsersAccept).Body.String(), "Version 1&lt;b&gt;")
	})

	t.Run("NeedsNoScript", func(t *testing.T) {
		t.Parallel()
		require.NotContains(t, getHome(t, "1.2.3", browsersAccept).Body.String(), "<script")
		require.NotContains(t, home(t).ContentSecurityPolicy, "script-src")
	})

	t.Run("TellsAProgramTheSame", func(t *testing.T) {
		t.Parallel()

		answer := getHome(t, "1.2.3", "*/*")
		require.Equal(t, http.StatusOK, answer.Code)
		require.Equal(t, "application/json", answer.Header().Get("Content-Type"))
		require.JSONEq(t, `{
			"name": "Versioner", "version": "1.2.3", "documentation": "/docs", "reference": "/redoc",
			"specification": "/openapi.json", "health": "/health", "readiness": "/health/ready"
		}`, answer.Body.String())
	})
}

func TestHomeChoosesByAccept(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		accept []string
		html   bool
	}{
		{"None", nil, false},
		{"Empty", []string{""}, false},
		{"Curl", []string{"*/*"}, false},
		{"Browser", []string{browsersAccept}, true},
		{"JSON", []string{"application/json"}, false},
		{"JSONOrAnything", []string{"application/json, text/plain, */*"}, false},
		{"HTML", []string{"text/html"}, true},
		{"UpperCase", []string{"TEXT/HTML"}, true},
		{"HTMLInTheSecondHeader", []string{"image/png", "text/html"}, true},
		{"BothAlike", []string{"application/json, text/html"}, true},
		{"JSONMore", []string{"text/html;q=0.5, application/json"}, false},
		{"JSONMoreAfterAParameter", []string{"text/html;charset=utf-8;q=0.5, application/json"}, false},
		{"HTMLMore", []string{"text/html, application/json;q=0.9"}, true},
		{"HTMLRefused", []string{"text/html;q=0, */*"}, false},
		{"AnyText", []string{"text/*"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			answer := getHome(t, "1.2.3", tt.accept...)
			require.Equal(t, "Accept", answer.Header().Get("Vary"))

			if tt.html {
				require.Equal(t, "text/html; charset=utf-8", answer.Header().Get("Content-Type"))
			} else {
				require.Equal(t, "application/json", answer.Header().Get("Content-Type"))
				require.True(t, json.Valid(answer.Body.Bytes()))
			}
		})
	}
}

// home is the page of GET / as a browser gets it.
func home(t *testing.T) web.Page {
	t.Helper()

	answer := getHome(t, "1.2.3", browsersAccept)

	return web.Page{HTML: answer.Body.Bytes(), ContentSecurityPolicy: answer.Header().Get("Content-Security-Policy")}
}

func getHome(t *testing.T, version string, accept ...string) *httptest.ResponseRecorder {
	t.Helper()

	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	request.Header["Accept"] = accept

	recorder := httptest.NewRecorder()
	web.Home(version).ServeHTTP(recorder, request)

	return recorder
}
