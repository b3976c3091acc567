package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

const dashboardID = "01a1f44d-55eb-7cce-924b-337597ff4f1b"

func TestDashboard(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for _, path := range []string{"/app", "/app/", "/app/deployments/" + dashboardID, "/app/no-such-page"} {
		answer := api.Get(t, path)
		require.Equal(t, http.StatusOK, answer.Status, path)
		require.Contains(t, answer.Header.Get("Content-Type"), "text/html", path)
		require.Equal(t, "no-cache", answer.Header.Get("Cache-Control"), path)
		require.Contains(t, string(answer.Body), `<base href="/app/" />`, path)
		require.Equal(t, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "+
			"base-uri 'self'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'", answer.Header.Get("Content-Security-Policy"))
	}
	require.Equal(t, http.StatusNotFound, api.Get(t, "/app/assets/index-old.js").Status)
}

func TestLinksOfPublishedClients(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for path, location := range map[string]string{
		"/manage/deployments?view=" + dashboardID:          "/app/deployments/" + dashboardID,
		"//manage/deployments?view=" + dashboardID:         "/app/deployments/" + dashboardID,
		"/manage/versions?view=" + dashboardID:             "/app/versions/" + dashboardID,
		"/manage/catalog?tab=versions&view=" + dashboardID: "/app/versions/" + dashboardID,
		"/manage/catalog?tab=products&view=" + dashboardID: "/app/",
		"/manage/deployments":                              "/app/",
		"/manage/deployments?view=//evil.example":          "/app/",
		"/manage/something-else?view=" + dashboardID:       "/app/",
		"/manage": "/app/",
	} {
		answer := api.Get(t, path)
		require.Equal(t, http.StatusFound, answer.Status, path)
		require.Equal(t, location, answer.Header.Get("Location"), path)
	}
}

func TestObjectsOpenedInABrowser(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	send := func(method, path string, header ...string) testapi.Answer {
		request := api.Request(t, method, path, nil)
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		return api.Do(t, request)
	}
	const html = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, kind := range []string{"deployments", "deployment-requests"} {
		path := "/" + kind + "/" + dashboardID
		for _, header := range [][]string{{"Sec-Fetch-Dest", "document"}, {"Accept", html}} {
			answer := send(http.MethodGet, path, header...)
			require.Equal(t, http.StatusFound, answer.Status, path)
			require.Equal(t, "/app"+path, answer.Header.Get("Location"))
			require.Contains(t, answer.Header.Values("Vary"), "Sec-Fetch-Dest, Accept")
		}
		for _, header := range [][]string{{}, {"Accept", "application/json"}, {"Sec-Fetch-Dest", "empty", "Accept", html}} {
			answer := send(http.MethodGet, path, header...)
			require.Contains(t, []int{http.StatusUnauthorized, http.StatusNotFound}, answer.Status, path)
			require.Contains(t, answer.Header.Values("Vary"), "Sec-Fetch-Dest, Accept")
		}
	}
	for _, path := range []string{"/deployments/", "/deployments/" + dashboardID + "/events", "/deployment-events/", "/products/" + dashboardID} {
		require.NotEqual(t, http.StatusFound, send(http.MethodGet, path, "Sec-Fetch-Dest", "document", "Accept", html).Status, path)
	}
	require.NotEqual(t, http.StatusFound, send(http.MethodPost, "/deployment-events/", "Sec-Fetch-Dest", "document", "Accept", html).Status)
}
