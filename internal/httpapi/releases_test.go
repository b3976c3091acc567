package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

func TestReleaseStatusOnCreation(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	create := func(body string) testapi.Answer { return api.As(t, "developer", http.MethodPost, "/releases/", body) }
	for body, want := range map[string]string{
		`{"name":"R"}`: "draft", `{"name":"R","status":"draft"}`: "draft", `{"name":"R","status":"in_progress"}`: "in_progress",
	} {
		answer := create(body)
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		require.Equal(t, want, answer.Field(t, "status"), body)
		require.Equal(t, want, api.As(t, "viewer", http.MethodGet, "/releases/"+answer.Field(t, "id").(string), "").Field(t, "status"))
	}
	for _, status := range []string{`"completed"`, `"cancelled"`, `"IN_PROGRESS"`, `""`, `1`, `null`} {
		require.Equal(t, []string{`["body","status"]`}, locs(t, create(`{"name":"R","status":`+status+`}`)), status)
	}
	require.Len(t, items(t, api.As(t, "viewer", http.MethodGet, "/releases/?status=in_progress", "")), 1)
	begun := "/releases/" + create(`{"name":"R","status":"in_progress"}`).Field(t, "id").(string)
	require.Equal(t, http.StatusOK, api.As(t, "developer", http.MethodPatch, begun, `{"status":"completed"}`).Status)
}

// TestReleasesOfVersion lists the releases that contain a version, those of other accounts and versions left out.
func TestReleasesOfVersion(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	version := func(name string) string {
		return p.PostEvent(t, builds, build(map[string]any{"version": name})).Field(t, "version_id").(string)
	}
	first, second := version("1.1"), version("1.2")
	contain := func(name, version string) string {
		release := created(t, p.API, "/releases/", `{"name":"`+name+`"}`)
		require.Equal(t, http.StatusOK, p.As(t, "admin", http.MethodPost, release+"/versions", `{"version_id":"`+version+`"}`).Status)
		return release
	}
	winter := contain("Winter", first)
	contain("Spring", first)
	contain("Summer", second)
	names := func(query string) (found []string) {
		for _, release := range items(t, p.As(t, "viewer", http.MethodGet, "/releases/?"+query, "")) {
			found = append(found, release["name"].(string))
		}
		return found
	}
	require.Equal(t, []string{"Spring", "Winter"}, names("version_id="+first), "newest first")
	require.Equal(t, []string{"Summer"}, names("version_id="+second))
	require.Equal(t, []string{"Winter"}, names("version_id="+first+"&q=winter"))
	require.Equal(t, []string{"Spring"}, names("limit=1&version_id="+first))
	require.Equal(t, http.StatusOK, p.As(t, "admin", http.MethodPost, winter+"/versions", `{"version_id":"`+second+`"}`).Status)
	require.Equal(t, []string{"Spring"}, names("version_id="+first), "a release has one version of a product")
	require.Empty(t, names("version_id=01a20337-15ab-7b41-900b-a5897195efeb"))
	product := items(t, p.As(t, "viewer", http.MethodGet, "/products/", ""))[0]["id"].(string)
	require.Equal(t, http.StatusNoContent, p.As(t, "admin", http.MethodDelete, "/products/"+product, "").Status)
	require.Empty(t, names("version_id="+first), "no release has versions of a deleted product")
	require.Equal(t, []string{`["query","version_id"]`}, locs(t, p.As(t, "viewer", http.MethodGet, "/releases/?version_id=1.1", "")))
}

// grid is a release with a version of a product, whose deployments a test sends.
type grid struct {
	pair

	release string
}

func newGrid(t *testing.T) grid {
	t.Helper()
	p := newPair(t)
	version := p.PostEvent(t, builds, build(map[string]any{"version": "1.1"})).Field(t, "version_id").(string)
	release := created(t, p.API, "/releases/", `{"name":"R"}`)
	require.Equal(t, http.StatusOK, p.As(t, "admin", http.MethodPost, release+"/versions", `{"version_id":"`+version+`"}`).Status)
	created(t, p.API, "/environments/", `{"name":"production"}`)
	return grid{pair: p, release: release}
}

// cells reads every cell, a page at a time.
func (g grid) cells(t *testing.T, limit string) (cells []map[string]any, pages int) {
	t.Helper()
	for cursor := ""; ; {
		answer := g.As(t, "viewer", http.MethodGet, g.release+"/deployments?limit="+limit+cursor, "")
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		for _, cell := range answer.Field(t, "environments").([]any) {
			cells = append(cells, cell.(map[string]any))
		}
		pages++
		next := nextCursor(t, answer)
		if next == "" {
			return cells, pages
		}
		require.Less(t, pages, 100, "the list does not end")
		cursor = "&cursor=" + next
	}
}

// TestReleaseProgress covers the statuses of a version in an environment.
func TestReleaseProgress(t *testing.T) {
	t.Parallel()
	type step struct{ version, run, status string }
	for name, c := range map[string]struct {
		steps  []step
		status string
		behind int // the step whose deployment is shown, from 1; 0: none
	}{
		"NotDeployed":                  {nil, "not_deployed", 0},
		"OnlyAnotherVersion":           {[]step{{"1.0", "a", "completed"}}, "not_deployed", 0},
		"Queued":                       {[]step{{"1.1", "a", "queued"}}, "in_progress", 1},
		"Started":                      {[]step{{"1.1", "a", "started"}}, "in_progress", 1},
		"Failed":                       {[]step{{"1.1", "a", "failed"}}, "failed", 1},
		"Aborted":                      {[]step{{"1.1", "a", "started"}, {"1.1", "a", "cancelled"}}, "not_deployed", 0},
		"Completed":                    {[]step{{"1.1", "a", "completed"}}, "success", 1},
		"CompletedQueuedCancelled":     {[]step{{"1.1", "a", "completed"}, {"1.1", "b", "queued"}, {"1.1", "b", "cancelled"}}, "success", 1},
		"CompletedAndQueuedAgain":      {[]step{{"1.1", "a", "completed"}, {"1.1", "b", "queued"}}, "success", 1},
		"CompletedThenFailedRuns":      {[]step{{"1.1", "a", "completed"}, {"1.1", "b", "failed"}}, "success", 1},
		"FailedThenCompleted":          {[]step{{"1.1", "a", "failed"}, {"1.1", "b", "completed"}}, "success", 2},
		"FailedThenStarted":            {[]step{{"1.1", "a", "failed"}, {"1.1", "b", "started"}}, "in_progress", 2},
		"FailedThenAborted":            {[]step{{"1.1", "a", "failed"}, {"1.1", "b", "aborted"}}, "failed", 1},
		"CompletedThenReplaced":        {[]step{{"1.1", "a", "completed"}, {"1.2", "b", "completed"}}, "success", 1},
		"ReplacedThenFailed":           {[]step{{"1.1", "a", "completed"}, {"1.2", "b", "completed"}, {"1.1", "c", "failed"}}, "failed", 3},
		"ReplacedFailedThenInProgress": {[]step{{"1.1", "a", "completed"}, {"1.2", "b", "completed"}, {"1.1", "c", "failed"}, {"1.1", "d", "started"}}, "in_progress", 4},
		"AnotherVersionInProgress":     {[]step{{"1.1", "a", "failed"}, {"1.2", "b", "started"}}, "failed", 1},
		"FailureThatEndedLast": {
			[]step{{"1.1", "a", "started"}, {"1.1", "b", "completed"}, {"1.2", "c", "completed"}, {"1.1", "a", "failed"}}, "failed", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGrid(t)
			var behind any
			for i, s := range c.steps {
				id := g.send(t, time.Minute, s.version, s.run, s.status, nil)
				if i == c.behind-1 {
					behind = id
				}
			}
			cells, _ := g.cells(t, "50")
			require.Len(t, cells, 1)
			require.Equal(t, c.status, cells[0]["status"])
			require.Equal(t, behind, cells[0]["deployment_id"])
			require.Equal(t, "1.1", cells[0]["version"])
			require.Equal(t, "checkout", cells[0]["product_name"])
			require.Equal(t, "production", cells[0]["environment_type"])
			if behind == nil {
				require.Nil(t, cells[0]["deployed_at"])
			} else {
				require.Equal(t, g.get(t, behind.(string)).Field(t, "deployed_at"), cells[0]["deployed_at"])
			}
		})
	}

	t.Run("StaleDeploymentsAreNotInProgress", func(t *testing.T) {
		t.Parallel()
		g := newGrid(t)
		g.send(t, 0, "1.1", "a", "started", nil)
		g.clock.advance(25 * time.Hour)
		cells, _ := g.cells(t, "50")
		require.Equal(t, "not_deployed", cells[0]["status"])
	})

	t.Run("BackfilledFailuresAreOlder", func(t *testing.T) {
		t.Parallel()
		g := newGrid(t)
		g.send(t, 0, "1.1", "a", "completed", nil)
		g.send(t, time.Minute, "1.2", "b", "completed", nil)
		ago := g.clock.Now().Add(-48 * time.Hour).Format(time.RFC3339Nano)
		g.send(t, time.Minute, "1.1", "c", "failed", map[string]any{"completed_at": ago})
		cells, _ := g.cells(t, "50")
		require.Equal(t, "success", cells[0]["status"])
	})
}

func TestReleaseGridIsPaged(t *testing.T) {
	t.Parallel()
	g := newGrid(t)
	for _, product := range []string{"cart", "search"} {
		id := g.PostEvent(t, builds, build(map[string]any{"product_name": product})).Field(t, "version_id").(string)
		require.Equal(t, http.StatusOK, g.As(t, "admin", http.MethodPost, g.release+"/versions", `{"version_id":"`+id+`"}`).Status)
	}
	for _, name := range []string{"dev", "qa"} {
		created(t, g.API, "/environments/", `{"name":"`+name+`"}`)
	}
	g.send(t, 0, "1.4.2", "a", "started", map[string]any{"product_name": "cart"})
	g.send(t, 0, "1.1", "a", "completed", nil)
	g.send(t, 0, "1.4.2", "a", "failed", map[string]any{"product_name": "search", "environment_name": "qa"})
	all, pages := g.cells(t, "200")
	require.Equal(t, 1, pages)
	require.Len(t, all, 9, "three products, three environments")
	counts := make(map[any]int)
	for _, cell := range all {
		counts[cell["status"]]++
	}
	require.Equal(t, map[any]int{"in_progress": 1, "success": 1, "failed": 1, "not_deployed": 6}, counts)
	for limit, want := range map[string]int{"1": 9, "2": 5, "3": 3, "4": 3, "9": 1} {
		cells, pages := g.cells(t, limit)
		require.Equal(t, want, pages, limit)
		require.Equal(t, all, cells, limit)
	}
	require.Equal(t, []string{`["query","limit"]`}, locs(t, g.As(t, "viewer", http.MethodGet, g.release+"/deployments?limit=0", "")))
	another := created(t, g.API, "/releases/", `{"name":"empty"}`)
	answer := g.As(t, "viewer", http.MethodGet, another+"/deployments", "")
	require.Empty(t, answer.Field(t, "environments"))
	cursor := nextCursor(t, g.As(t, "viewer", http.MethodGet, g.release+"/deployments?limit=1", ""))
	require.Equal(t, []string{`["query","cursor"]`}, locs(t, g.As(t, "viewer", http.MethodGet, another+"/deployments?cursor="+cursor, "")))
}
