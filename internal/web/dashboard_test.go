package web_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/web"
)

// dashboardFile returns what the dashboard at that path prefix answers.
func dashboardFile(t *testing.T, prefix, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	dashboard, err := web.Dashboard(prefix)
	require.NoError(t, err)
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header = header
	dashboard.ServeHTTP(recorder, request)
	return recorder
}

func TestDashboardFiles(t *testing.T) {
	t.Parallel()
	types := map[string]string{"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "html": "text/html; charset=utf-8"}
	extension := regexp.MustCompile(`\w+$`)
	require.NoError(t, fs.WalkDir(os.DirFS("dist"), ".", func(name string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		if entry.IsDir() || name == "index.html" {
			return nil
		}
		plain := dashboardFile(t, "", "/app/"+name, nil)
		require.Equal(t, http.StatusOK, plain.Code, name)
		require.Equal(t, types[extension.FindString(name)], plain.Header().Get("Content-Type"), name)
		require.Equal(t, "Accept-Encoding", plain.Header().Get("Vary"), name)
		content, err := fs.ReadFile(os.DirFS("dist"), name)
		require.NoError(t, err)
		require.Equal(t, string(content), plain.Body.String(), name)

		compressed := dashboardFile(t, "", "/app/"+name, http.Header{"Accept-Encoding": {"gzip, br"}})
		require.Equal(t, "gzip", compressed.Header().Get("Content-Encoding"), name)
		require.Equal(t, string(content), gunzip(t, compressed.Body), name)
		require.NotEqual(t, plain.Header().Get("ETag"), compressed.Header().Get("ETag"), name)
		unchanged := dashboardFile(t, "", "/app/"+name, http.Header{"If-None-Match": {plain.Header().Get("ETag")}})
		require.Equal(t, http.StatusNotModified, unchanged.Code, name)
		return nil
	}))
}

func TestDashboardCaching(t *testing.T) {
	t.Parallel()
	index := dashboardFile(t, "", "/app", nil)
	require.Equal(t, "no-cache", index.Header().Get("Cache-Control"))
	script := regexp.MustCompile(`src="\./(assets/index-[\w-]+\.js)"`).FindStringSubmatch(index.Body.String())
	require.NotNil(t, script, "the index loads the script by its hash")
	require.Equal(t, "public, max-age=31536000, immutable", dashboardFile(t, "", "/app/"+script[1], nil).Header().Get("Cache-Control"))

	missing := dashboardFile(t, "", "/app/assets/index-0.js", nil)
	require.Equal(t, http.StatusNotFound, missing.Code)
	require.NotContains(t, missing.Header().Get("Cache-Control"), "immutable")
}

func TestDashboardBelowAPath(t *testing.T) {
	t.Parallel()
	require.Contains(t, dashboardFile(t, "/versioner", "/app/deployments", nil).Body.String(), `<base href="/versioner/app/" />`)
	require.Contains(t, dashboardFile(t, "", "/app/deployments", nil).Body.String(), `<base href="/app/" />`)
}
