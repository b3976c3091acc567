package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/web"
)

// wanted describes an asset: its type, whether it is stored compressed, and a part of its text.
type wanted struct {
	contentType string
	gzipped     bool
	holds       string
}

// assets returns the files that the pages load.
func assets() map[string]wanted {
	const (
		css  = "text/css; charset=utf-8"
		js   = "text/javascript; charset=utf-8"
		svg  = "image/svg+xml"
		text = "text/plain; charset=utf-8"
	)

	return map[string]wanted{
		"swagger-ui-bundle.js":             {js, true, "SwaggerUIBundle"},
		"swagger-ui.css":                   {css, true, ".swagger-ui"},
		"swagger-ui.LICENSE.txt":           {text, false, "Apache License"},
		"swagger-ui.NOTICE.txt":            {text, false, "SmartBear"},
		"swagger-ui-bundle.js.LICENSE.txt": {text, false, "MIT License"},
		"redoc.standalone.js":              {js, true, "RedocStandalone"},
		"redoc.LICENSE.txt":                {text, false, "MIT License"},
		"swagger-init.js":                  {js, false, "validatorUrl: null"},
		"redoc-init.js":                    {js, false, "'cookie'"},
		"versioner.css":                    {css, false, ".versioner"},
		"home.css":                         {css, false, ".home"},
		"docs.css":                         {css, false, ".swagger-ui"},
		"redoc.css":                        {css, false, ".versioner-reference"},
		"favicon.svg":                      {svg, false, "<svg"},
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()

	paths := make(map[string]string)
	for _, page := range []web.Page{home(t), web.SwaggerUI(), web.ReDoc()} {
		for _, p := range assetPaths(page) {
			paths[path.Base(p)] = p
		}
	}

	require.Len(t, paths, len(assets()), "the pages name every asset")

	for name, want := range assets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Contains(t, paths, name)
			assetPath := paths[name]

			plain := get(t, assetPath, nil)
			require.Equal(t, http.StatusOK, plain.Code)
			require.Contains(t, plain.Body.String(), want.holds)
			require.Equal(t, want.contentType, plain.Header().Get("Content-Type"))
			require.Equal(t, "public, max-age=31536000, immutable", plain.Header().Get("Cache-Control"))
			require.Equal(t, "nosniff", plain.Header().Get("X-Content-Type-Options"))
			require.Empty(t, plain.Header().Get("Content-Encoding"))

			browser := get(t, assetPath, http.Header{"Accept-Encoding": {"gzip, deflate, br"}})
			require.Equal(t, http.StatusOK, browser.Code)
			require.Equal(t, want.contentType, browser.Header().Get("Content-Type"))

			etag := browser.Header().Get("ETag")
			require.NotEmpty(t, etag)

			if want.gzipped {
				require.Equal(t, "gzip", browser.Header().Get("Content-Encoding"))
				require.Equal(t, "Accept-Encoding", browser.Header().Get("Vary"))
				require.NotEqual(t, plain.Header().Get("ETag"), etag, "one strong tag for two sequences of bytes")
				require.Equal(t, plain.Body.String(), gunzip(t, browser.Body))
			} else {
				require.Equal(t, plain.Body.String(), browser.Body.String())
			}

			unchanged := get(t, assetPath, http.Header{"Accept-Encoding": {"gzip"}, "If-None-Match": {etag}})
			require.Equal(t, http.StatusNotModified, unchanged.Code)
			require.Empty(t, unchanged.Body.String())

			head := send(t, http.MethodHead, assetPath, nil)
			require.Equal(t, http.StatusOK, head.Code)
			require.Equal(t, plain.Header(), head.Header())
			require.Empty(t, head.Body.String())
		})
	}
}

// The published scripts of ReDoc load a logo from a CDN. vendor.sh removes it.
func TestAssetsLoadNoForeignLogo(t *testing.T) {
	t.Parallel()

	for _, p := range assetPaths(web.ReDoc()) {
		require.NotContains(t, get(t, p, nil).Body.String(), "cdn.redoc.ly")
	}
}

func TestFavicon(t *testing.T) {
	t.Parallel()

	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/favicon.ico", http.NoBody)
	icon := httptest.NewRecorder()
	web.Favicon().ServeHTTP(icon, request)
	require.Equal(t, http.StatusOK, icon.Code)
	require.Equal(t, "image/svg+xml", icon.Header().Get("Content-Type"))
	require.Equal(t, "nosniff", icon.Header().Get("X-Content-Type-Options"))
	require.Equal(t, "public, max-age=86400", icon.Header().Get("Cache-Control"), "its path has no hash")
	require.Contains(t, icon.Body.String(), "<svg")

	request.Header.Set("If-None-Match", icon.Header().Get("ETag"))
	unchanged := httptest.NewRecorder()
	web.Favicon().ServeHTTP(unchanged, request)
	require.Equal(t, http.StatusNotModified, unchanged.Code)
}

func TestAssetsEncoding(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		accept []string
		gzip   bool
	}{
		{"None", nil, false},
		{"Empty", []string{""}, false},
		{"Gzip", []string{"gzip"}, true},
		{"Browser", []string{"gzip, deflate, br, zstd"}, true},
		{"UpperCase", []string{"GZIP"}, true},
		{"SecondHeader", []string{"br", "gzip"}, true},
		{"Excluded", []string{"gzip;q=0, identity"}, false},
		{"OtherCoding", []string{"br, zstd, gzipped"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			response := get(t, swaggerBundle(t), http.Header{"Accept-Encoding": tt.accept})
			require.Equal(t, tt.gzip, response.Header().Get("Content-Encoding") == "gzip")
			require.Equal(t, "Accept-Encoding", response.Header().Get("Vary"))
		})
	}
}

func TestUnknownAssetsReturn404(t *testing.T) {
	t.Parallel()

	for _, p := range []string{
		"/assets/",
		"/assets/swagger-ui.css",
		"/assets/0000000000000000/swagger-ui.css",
		"/assets/../pages.go",
		path.Dir(swaggerBundle(t)),
		swaggerBundle(t) + "/",
		swaggerBundle(t) + ".gz",
	} {
		t.Run(p, func(t *testing.T) {
			t.Parallel()

			response := get(t, p, nil)
			require.Equal(t, http.StatusNotFound, response.Code)
			require.Equal(t, "application/json", response.Header().Get("Content-Type"))
			require.Equal(t, "nosniff", response.Header().Get("X-Content-Type-Options"))
			require.Empty(t, response.Header().Get("Cache-Control"))
			require.JSONEq(t, `{"detail":"Not found"}`, response.Body.String())
		})
	}
}

func swaggerBundle(t *testing.T) string {
	t.Helper()

	for _, p := range assetPaths(web.SwaggerUI()) {
		if path.Base(p) == "swagger-ui-bundle.js" {
			return p
		}
	}

	require.Fail(t, "the page of Swagger UI has no bundle")

	return ""
}

func get(t *testing.T, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()

	return send(t, http.MethodGet, target, header)
}

func send(t *testing.T, method, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()

	request := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	if header != nil {
		request.Header = header
	}

	recorder := httptest.NewRecorder()
	web.Assets().ServeHTTP(recorder, request)

	return recorder
}

func gunzip(t *testing.T, body io.Reader) string {
	t.Helper()

	r, err := gzip.NewReader(body)
	require.NoError(t, err)

	plain, err := io.ReadAll(r)
	require.NoError(t, err)

	return string(plain)
}
