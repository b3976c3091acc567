package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// pair sends events of one product and environment, and reads its state.
type pair struct {
	*testapi.API

	clock *testClock
}

func newPair(t *testing.T) pair {
	t.Helper()
	clock := newTestClock()
	return pair{API: testapi.New(t, testapi.WithClock(clock.Now)), clock: clock}
}

// send records an event of a run after some time and returns the deployment's identifier.
func (p pair) send(t *testing.T, after time.Duration, version, run, status string, changes map[string]any) string {
	t.Helper()
	p.clock.advance(after)
	event := deployment(map[string]any{"version": version, "invoke_id": run, "status": status})
	maps.Copy(event, changes)
	return p.PostEvent(t, deploymentEvents, event).Field(t, "id").(string)
}

func (p pair) get(t *testing.T, id string) testapi.Answer {
	t.Helper()
	return p.As(t, "viewer", http.MethodGet, "/deployments/"+id, "")
}

func (p pair) list(t *testing.T, query string) []string {
	t.Helper()
	return idsOf(t, p.As(t, "viewer", http.MethodGet, "/deployments/"+query, ""))
}

// requireRunning checks the deployment in progress; empty: none.
func (p pair) requireRunning(t *testing.T, id, version string) {
	t.Helper()
	row := items(t, p.As(t, "viewer", http.MethodGet, "/environment-state/", ""))[0]
	if id == "" {
		for _, member := range []string{"in_progress_deployment_id", "in_progress_version", "in_progress_since"} {
			require.Nil(t, row[member], member)
		}
		return
	}
	require.Equal(t, id, row["in_progress_deployment_id"])
	require.Equal(t, version, row["in_progress_version"])
	require.Equal(t, p.get(t, id).Field(t, "occurred_at"), row["in_progress_since"])
}

func (p pair) requireStale(t *testing.T, want bool, id string) {
	t.Helper()
	require.Equal(t, want, p.get(t, id).Field(t, "is_stale"))
	for _, item := range items(t, p.As(t, "viewer", http.MethodGet, "/deployments/", "")) {
		if item["id"] == id {
			require.Equal(t, want, item["is_stale"])
		}
	}
}

// TestDeploymentTimes verifies that lists are sorted by occurred_at, and that since and until compare it.
func TestDeploymentTimes(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	begin := p.clock.Now()
	live := p.send(t, 0, "2.0.0", "a", "started", nil)
	other := p.send(t, time.Minute, "2.1.0", "b", "completed", nil)
	p.send(t, time.Minute, "2.0.0", "a", "completed", nil)
	ago := func(d time.Duration) map[string]any {
		return map[string]any{"completed_at": begin.Add(-d).Format(time.RFC3339Nano)}
	}
	const day = 24 * time.Hour
	twoDaysAgo := p.send(t, time.Minute, "1.1.0", "c", "completed", ago(2*day))
	threeDaysAgo := p.send(t, time.Minute, "1.0.0", "d", "failed", ago(3*day))
	oneDayAgo := p.send(t, time.Minute, "1.2.0", "e", "completed", ago(day))
	last := p.send(t, time.Minute, "2.2.0", "f", "queued", nil)

	require.Equal(t, []string{last, other, live, oneDayAgo, twoDaysAgo, threeDaysAgo}, p.list(t, ""), "not by the import, nor by the end")
	at := func(d time.Duration) string { return url.QueryEscape(begin.Add(d).Format(time.RFC3339Nano)) }
	for query, want := range map[string][]string{
		"?since=" + at(-day):                                    {last, other, live, oneDayAgo},
		"?until=" + at(-day):                                    {twoDaysAgo, threeDaysAgo},
		"?since=" + at(-2*day) + "&until=" + at(0):              {oneDayAgo, twoDaysAgo},
		"?since=" + at(0) + "&until=" + at(time.Nanosecond*1e3): {live},
		"?since=" + at(time.Hour):                               {},
		"?since=" + at(-9*day) + "&status=failed":               {threeDaysAgo},
	} {
		require.Equal(t, want, p.list(t, query), query)
	}
	require.Equal(t, p.list(t, ""), walk(t, p.API, "/deployments/?limit=2"))

	ended := p.get(t, live)
	require.Equal(t, begin.Format(time.RFC3339Nano), ended.Field(t, "occurred_at"), "never changes")
	require.Equal(t, begin.Format(time.RFC3339Nano), ended.Field(t, "started_at"))
	require.Equal(t, begin.Add(2*time.Minute).Format(time.RFC3339Nano), ended.Field(t, "completed_at"))
	old := p.get(t, twoDaysAgo)
	require.Equal(t, begin.Add(-2*day).Format(time.RFC3339Nano), old.Field(t, "occurred_at"))
	require.Equal(t, old.Field(t, "occurred_at"), old.Field(t, "completed_at"))
	require.Equal(t, begin.Add(3*time.Minute).Format(time.RFC3339Nano), old.Field(t, "created_at"), "the receipt")
	row := items(t, p.As(t, "viewer", http.MethodGet, "/environment-state/", ""))[0]
	require.Equal(t, "2.0.0", row["version"], "backfill does not replace what completed later")
	require.InDelta(t, 1, row["versions_behind"], 0, "2.1.0, and nothing older")
}

// TestStaleness verifies when unfinished deployments become stale.
func TestStaleness(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour

	t.Run("SilentForADay", func(t *testing.T) {
		t.Parallel()
		p := newPair(t)
		id := p.send(t, 0, "1", "a", "queued", nil)
		p.send(t, 20*time.Hour, "1", "a", "started", nil)
		p.clock.advance(day)
		p.requireStale(t, false, id)
		p.requireRunning(t, id, "1")
		p.clock.advance(time.Second)
		p.requireStale(t, true, id)
		p.requireRunning(t, "", "")
		require.Equal(t, "started", p.get(t, id).Field(t, "status"), "its status stays")
		require.Equal(t, id, p.send(t, day, "1", "a", "success", nil), "a late end still finishes it")
		p.requireStale(t, false, id)
		require.Equal(t, "completed", p.get(t, id).Field(t, "status"))
		require.Equal(t, "1", items(t, p.As(t, "viewer", http.MethodGet, "/environment-state/", ""))[0]["version"])
	})

	t.Run("SameVersionHasCompletedInAnotherDeployment", func(t *testing.T) {
		t.Parallel()
		p := newPair(t)
		lost := p.send(t, 0, "1", "a", "started", nil)
		p.send(t, time.Minute, "1", "b", "started", nil)
		p.requireStale(t, false, lost)
		p.send(t, time.Minute, "1", "b", "completed", nil)
		p.requireStale(t, true, lost)
		p.requireRunning(t, "", "")
		require.Equal(t, lost, p.send(t, time.Minute, "1", "a", "failed", nil))
		p.requireStale(t, false, lost)
	})

	t.Run("OvertakenAndSilentForAnHour", func(t *testing.T) {
		t.Parallel()
		p := newPair(t)
		lost := p.send(t, 0, "1", "a", "started", nil)
		p.send(t, time.Minute, "2", "b", "completed", nil)
		p.clock.advance(59 * time.Minute)
		p.requireStale(t, false, lost)
		p.requireRunning(t, lost, "1")
		p.clock.advance(time.Second)
		p.requireStale(t, true, lost)
		p.requireRunning(t, "", "")
	})

	t.Run("NotOvertakenByAFailure", func(t *testing.T) {
		t.Parallel()
		p := newPair(t)
		running := p.send(t, 0, "1", "a", "started", nil)
		p.send(t, time.Minute, "2", "b", "failed", nil)
		p.clock.advance(2 * time.Hour)
		p.requireStale(t, false, running)
		p.requireRunning(t, running, "1")
	})

	t.Run("NotOvertakenByWhatWasOpenedBefore", func(t *testing.T) {
		t.Parallel()
		p := newPair(t)
		p.send(t, 0, "1", "a", "started", nil)
		running := p.send(t, time.Minute, "2", "b", "started", nil)
		p.send(t, time.Minute, "1", "a", "completed", nil)
		p.clock.advance(2 * time.Hour)
		p.requireStale(t, false, running)
		p.requireRunning(t, running, "2")
	})

	t.Run("NotByWhatHappensInAnotherEnvironment", func(t *testing.T) {
		t.Parallel()
		p := newPair(t)
		running := p.send(t, 0, "1", "a", "started", nil)
		p.send(t, time.Minute, "1", "b", "completed", map[string]any{"environment_name": "qa"})
		p.send(t, time.Minute, "1", "b", "completed", map[string]any{"product_name": "cart"})
		p.clock.advance(2 * time.Hour)
		p.requireStale(t, false, running)
	})

	t.Run("NotByBackfill", func(t *testing.T) {
		t.Parallel()
		p := newPair(t)
		running := p.send(t, 0, "1", "a", "started", nil)
		ago := p.clock.Now().Add(-3 * time.Hour).Format(time.RFC3339Nano)
		p.send(t, time.Minute, "1", "b", "completed", map[string]any{"completed_at": ago})
		p.clock.advance(2 * time.Hour)
		p.requireStale(t, false, running)
		p.requireRunning(t, running, "1")
	})
}

// TestInProgress verifies that the newest started deployment is in progress, else the newest pending one.
func TestInProgress(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	queued := p.send(t, 0, "1", "a", "queued", nil)
	p.requireRunning(t, queued, "1")
	newer := p.send(t, time.Minute, "2", "b", "queued", nil)
	p.requireRunning(t, newer, "2")
	p.send(t, time.Minute, "1", "a", "started", nil)
	p.requireRunning(t, queued, "1")
	third := p.send(t, time.Minute, "3", "c", "queued", nil)
	p.requireRunning(t, queued, "1")
	p.send(t, time.Minute, "3", "c", "cancelled", nil)
	p.requireRunning(t, queued, "1")
	p.send(t, time.Minute, "2", "b", "started", nil)
	p.requireRunning(t, newer, "2")
	p.send(t, time.Minute, "2", "b", "failed", nil)
	p.requireRunning(t, queued, "1")
	p.send(t, time.Minute, "1", "a", "success", nil)
	p.requireRunning(t, "", "")
	require.Equal(t, "aborted", p.get(t, third).Field(t, "status"))
	require.Equal(t, "1", items(t, p.As(t, "viewer", http.MethodGet, "/environment-state/", ""))[0]["version"])
}

// TestNeighbours reads the neighbours of each deployment of a pair, among deployments of another pair.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	api := testapi.New(t, testapi.WithClock(clock.Now))
	var ids []any
	for i := range 4 {
		for _, environment := range []string{"qa", "production"} {
			clock.advance(time.Minute)
			event := deployment(map[string]any{"environment_name": environment, "version": strconv.Itoa(i), "invoke_id": fmt.Sprint(environment, i), "status": []string{"completed", "failed"}[i%2]})
			if id := api.PostEvent(t, deploymentEvents, event).Field(t, "id"); environment == "production" {
				ids = append(ids, id)
			}
		}
	}
	api.Exec(t, "UPDATE deployments SET occurred_at = (SELECT max(occurred_at) FROM deployments) WHERE version_id IN (SELECT id FROM versions WHERE version IN ('2', '3'))")
	for i, id := range ids {
		answer := api.As(t, "viewer", http.MethodGet, "/deployments/"+id.(string)+"/neighbours", "")
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		before, after := any(nil), any(nil)
		if i > 0 {
			before = ids[i-1]
		}
		if i < len(ids)-1 {
			after = ids[i+1]
		}
		require.Equal(t, before, answer.Field(t, "previous_deployment_id"), "%d", i)
		require.Equal(t, after, answer.Field(t, "next_deployment_id"), "%d", i)
	}
}

// TestUnfinishedDeployments lists more unfinished deployments of a product and environment than its state keeps track of.
func TestUnfinishedDeployments(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	other := p.send(t, time.Second, "1", "other", "started", map[string]any{"environment_name": "qa"})
	var started []string
	for i := range 40 {
		if i < 2 {
			require.Len(t, p.list(t, "?status=started"), 1+i)
		}
		started = append(started, p.send(t, time.Second, "1", "run "+strconv.Itoa(i), "started", nil))
	}
	require.ElementsMatch(t, append(started, other), p.list(t, "?status=started"))
	require.Equal(t, []string{other}, p.list(t, "?status=started&environment=qa"))
	require.Len(t, p.list(t, "?status=started&environment=production&limit=100"), len(started))
	require.Empty(t, p.list(t, "?status=pending"))
	p.send(t, time.Second, "1", "other", "failed", map[string]any{"environment_name": "qa"})
	require.Empty(t, p.list(t, "?status=started&environment=qa"))
	require.Equal(t, []string{other}, p.list(t, "?status=failed"))
}
