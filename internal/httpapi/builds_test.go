package httpapi_test

import (
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// build is an event of a completed build, with changes.
func build(changes map[string]any) map[string]any {
	event := map[string]any{"product_name": "checkout", "version": "1.4.2", "status": "completed"}
	maps.Copy(event, changes)
	return event
}

// idsOf returns the identifiers of a list.
func idsOf(t *testing.T, answer testapi.Answer) []string {
	t.Helper()
	ids := []string{}
	for _, item := range items(t, answer) {
		ids = append(ids, item["id"].(string))
	}
	return ids
}

func TestBuilds(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	api := testapi.New(t, testapi.WithClock(clock.Now))
	begin := clock.Now()
	var ids []string // oldest first, a minute apart
	var answers []testapi.Answer
	post := func(changes map[string]any) {
		answer := api.PostEvent(t, builds, build(changes))
		ids, answers = append(ids, answer.Field(t, "id").(string)), append(answers, answer)
		clock.advance(time.Minute)
	}
	post(map[string]any{"invoke_id": "1", "status": "failed", "scm_sha": "abcdef1234", "error_message": "tests failed", "error_code": "2"})
	post(map[string]any{"invoke_id": "2", "scm_sha": "ABCDEF1299", "scm_branch": "main", "built_by": "mona", "build_url": "https://ci.example.com/2"})
	post(map[string]any{"invoke_id": "3", "version": "1.5.0", "status": "started"})
	post(map[string]any{"invoke_id": "4", "product_name": "cart", "version": "1.4.2"})
	get := func(path string) testapi.Answer { return api.As(t, "viewer", http.MethodGet, path, "") }
	product := answers[0].Field(t, "product_id").(string)
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, "/products/"+product, `{"name":"Checkout"}`).Status)
	at := func(minutes float64) string {
		return url.QueryEscape(begin.Add(time.Duration(minutes * float64(time.Minute))).Format(time.RFC3339Nano))
	}

	t.Run("Filters", func(t *testing.T) {
		t.Parallel()
		for query, want := range map[string][]int{
			"":                    {3, 2, 1, 0},
			"?product=Checkout":   {2, 1, 0},
			"?product=checkout":   {2, 1, 0}, // its former name
			"?product=" + product: {2, 1, 0},
			"?product=cart":       {3},
			"?version=1.4.2":      {3, 1, 0},
			"?version=1.5.0":      {2},
			"?status=failed":      {0},
			"?status=completed":   {3, 1},
			"?status=started":     {2},
			"?status=aborted":     {},
			"?scm_sha=abcdef":     {1, 0},
			"?scm_sha=ABCDEF1234": {0},
			"?scm_sha=abcdef129":  {1},
			"?scm_sha=fffff":      {},
			"?since=" + at(1):     {3, 2, 1},
			"?until=" + at(1):     {0},
			"?since=" + at(3.5):   {},
			"?product=nothing":    {},
			"?version=9":          {},
			"?limit=2":            {3, 2},
			"?version=" + answers[0].Field(t, "version_id").(string):                    {1, 0},
			"?since=" + at(0.5) + "&until=" + at(2.5):                                   {2, 1},
			"?product=Checkout&version=1.4.2&status=completed&scm_sha=abcdef&limit=200": {1},
		} {
			expected := []string{}
			for _, i := range want {
				expected = append(expected, ids[i])
			}
			require.Equal(t, expected, idsOf(t, get("/builds/"+query)), query)
		}
		for query, loc := range map[string]string{
			"?status=done": `["query","status"]`, "?scm_sha=abc": `["query","scm_sha"]`, "?since=yesterday": `["query","since"]`, "?environment=x": `["query","environment"]`,
		} {
			require.Equal(t, []string{loc}, locs(t, get("/builds/"+query)), query)
		}
	})

	t.Run("Pages", func(t *testing.T) {
		t.Parallel()
		first := get("/builds/?product=Checkout&limit=2")
		require.Equal(t, []string{ids[2], ids[1]}, idsOf(t, first))
		second := get("/builds/?product=Checkout&limit=2&cursor=" + nextCursor(t, first))
		require.Equal(t, []string{ids[0]}, idsOf(t, second))
		require.Empty(t, nextCursor(t, second))
		require.Equal(t, []string{`["query","cursor"]`}, locs(t, get("/builds/?product=cart&cursor="+nextCursor(t, first))), "a cursor of another list")
	})

	t.Run("OneBuild", func(t *testing.T) {
		t.Parallel()
		failed := get("/builds/" + ids[0])
		for name, want := range map[string]any{
			"id": ids[0], "build_id": ids[0], "product_id": product, "product_name": "Checkout", "version": "1.4.2", "status": "failed", "is_stale": false,
			"scm_sha": "abcdef1234", "error_message": "tests failed", "error_code": "2", "invoke_id": "1", "build_url": nil, "started_at": nil,
			"occurred_at": begin.Format(time.RFC3339Nano), "completed_at": begin.Format(time.RFC3339Nano), "created_at": begin.Format(time.RFC3339Nano),
		} {
			require.Equal(t, want, failed.Field(t, name), name)
		}
		completed := get("/builds/" + ids[1])
		require.Equal(t, "mona", completed.Field(t, "built_by"))
		require.Equal(t, "main", completed.Field(t, "scm_branch"))
		require.Equal(t, completed.Field(t, "version_id"), failed.Field(t, "version_id"))
		listed := items(t, get("/builds/?scm_sha=abcdef129"))[0]
		for name, want := range listed {
			require.Equal(t, want, completed.Field(t, name), "the list shows the same %s", name)
		}
		require.Equal(t, http.StatusNotFound, get("/builds/01a208e8-3986-7451-9ae9-d54509e2ff24").Status)
		require.Equal(t, http.StatusNotFound, get("/builds/"+answers[0].Field(t, "version_id").(string)).Status)
		require.Equal(t, []string{`["path","id"]`}, locs(t, get("/builds/latest")))
	})
}

func TestBuildsAreStaleAfterADay(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	api := testapi.New(t, testapi.WithClock(clock.Now))
	path := "/builds/" + api.PostEvent(t, builds, build(map[string]any{"status": "started", "invoke_id": "1"})).Field(t, "id").(string)
	isStale := func() any { return api.As(t, "viewer", http.MethodGet, path, "").Field(t, "is_stale") }
	clock.advance(24 * time.Hour)
	require.Equal(t, false, isStale())
	clock.advance(time.Second)
	require.Equal(t, true, isStale())
	api.PostEvent(t, builds, build(map[string]any{"status": "failed", "invoke_id": "1"}))
	require.Equal(t, false, isStale(), "a late end still finishes it")
	require.Equal(t, "failed", api.As(t, "viewer", http.MethodGet, path, "").Field(t, "status"))
}

// TestVersionsShowTheirLatestBuild also follows the commit, which completed builds alone bind.
func TestVersionsShowTheirLatestBuild(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	api := testapi.New(t, testapi.WithClock(clock.Now))
	path := "/versions/" + api.PostEvent(t, deploymentEvents, deployment(nil)).Field(t, "version_id").(string)
	requireLatest := func(build, status, address, sha any) {
		t.Helper()
		one := api.As(t, "viewer", http.MethodGet, path, "")
		listed := items(t, api.As(t, "viewer", http.MethodGet, "/versions/?product=checkout", ""))
		for name, want := range map[string]any{"build_id": build, "build_status": status, "build_url": address, "scm_sha": sha} {
			require.Equal(t, want, one.Field(t, name), name)
			require.Equal(t, want, listed[0][name], name)
		}
	}
	requireLatest(nil, nil, nil, nil)
	post := func(run, status string, changes map[string]any) any {
		clock.advance(time.Minute)
		event := build(map[string]any{"status": status, "invoke_id": run, "build_url": "https://ci.example.com/" + run})
		maps.Copy(event, changes)
		return api.PostEvent(t, builds, event).Field(t, "id")
	}
	first := post("1", "started", map[string]any{"scm_sha": "aaaaaaa"})
	requireLatest(first, "started", "https://ci.example.com/1", nil)
	post("1", "failed", nil)
	requireLatest(first, "failed", "https://ci.example.com/1", nil)
	second := post("2", "completed", map[string]any{"scm_sha": "bbbbbbb"})
	requireLatest(second, "completed", "https://ci.example.com/2", "bbbbbbb")
	third := post("3", "started", map[string]any{"scm_sha": "bbbbbbb1"})
	requireLatest(third, "started", "https://ci.example.com/3", "bbbbbbb")
	backfilled := post("0", "completed", map[string]any{"completed_at": clock.Now().Add(-48 * time.Hour)})
	require.NotEqual(t, third, backfilled)
	requireLatest(third, "started", "https://ci.example.com/3", "bbbbbbb")
	post("3", "completed", map[string]any{"scm_sha": "bbbbbbb1"})
	requireLatest(third, "completed", "https://ci.example.com/3", "bbbbbbb1")
}
