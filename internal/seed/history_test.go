package seed_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/seed"
)

// theEnd is a Wednesday afternoon.
func theEnd() time.Time { return time.Date(2025, time.March, 19, 14, 20, 0, 0, time.UTC) }

// histories returns histories of several seeds, lengths and ends: by day and night, and at the ends of weeks, months and years.
func histories() map[string]seed.History {
	all := make(map[string]seed.History)
	for n := range uint64(5) {
		all[fmt.Sprintf("seed %d", n)] = seed.New(n, 30, theEnd())
	}
	for _, end := range []time.Time{
		time.Date(2025, time.March, 22, 23, 59, 59, 0, time.UTC), time.Date(2025, time.March, 24, 0, 0, 0, 0, time.UTC),
		time.Date(2024, time.February, 29, 3, 0, 0, 0, time.UTC), time.Date(2025, time.January, 1, 0, 0, 1, 0, time.UTC),
		time.Date(2025, time.March, 23, 12, 0, 0, 0, time.FixedZone("", -8*3600)),
	} {
		all[end.String()] = seed.New(1, 30, end)
	}
	for days := seed.MinDays; days < seed.MinDays+9; days++ {
		all[fmt.Sprintf("%d days", days)] = seed.New(1, days, theEnd())
	}
	all["a year"] = seed.New(1, seed.MaxDays, theEnd())
	return all
}

func TestSameSeedSameHistory(t *testing.T) {
	t.Parallel()
	write := func(history seed.History) string {
		text, err := json.Marshal(history)
		require.NoError(t, err)
		return string(text)
	}
	one := write(seed.New(7, 30, theEnd()))
	require.Equal(t, one, write(seed.New(7, 30, theEnd())))
	require.Equal(t, one, write(seed.New(7, 30, theEnd().In(time.FixedZone("elsewhere", 3600)).Add(time.Millisecond))), "to the second, in any time zone")
	require.NotEqual(t, one, write(seed.New(8, 30, theEnd())))
	require.NotEqual(t, one, write(seed.New(7, 31, theEnd())))
}

func TestTimesAreInOrder(t *testing.T) {
	t.Parallel()
	for name, history := range histories() {
		before := history.Start
		for _, event := range history.Events {
			require.False(t, event.At.Before(before), "%s: events in order: %+v", name, event)
			before = event.At
		}
		require.False(t, before.After(history.End), name)
		before = history.Start
		for _, change := range history.Changes {
			require.False(t, change.At.Before(before), "%s: changes in order: %+v", name, change)
			before = change.At
		}
		require.False(t, before.After(history.End), name)
	}
}

// TestChangesAreConsistent requires objects to exist when they are changed, and users when they change something.
func TestChangesAreConsistent(t *testing.T) {
	t.Parallel()
	for name, history := range histories() {
		exist := make(map[string]bool)
		built := make(map[string]time.Time)
		for _, event := range history.Events {
			if version := event.ProductName + " " + event.Version; built[version].IsZero() {
				built[version] = event.At
			}
		}
		for _, change := range history.Changes {
			creates := strings.HasSuffix(change.Action, ".create") || change.Action == "user.sign_in"
			require.Equal(t, !creates, exist[change.Object], "%s: %+v", name, change)
			exist[change.Object] = true
			require.True(t, exist[change.By.Name], "%s: %+v", name, change)
			if change.Action == "release.add_version" {
				require.True(t, !built[change.Value].IsZero() && built[change.Value].Before(change.At), "%s: %+v", name, change)
			}
		}
	}
}

// run is a deployment or a build.
type run struct{ product, version, environment, id, attempt string }

func runOf(t *testing.T, event seed.Event) run {
	t.Helper()
	attempt, _ := metadata(t, event)["vi_gh_run_attempt"].(string)
	return run{event.ProductName, event.Version, event.EnvironmentName, event.InvokeID, attempt}
}

func metadata(t *testing.T, event seed.Event) map[string]any {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal(event.Metadata, &fields))
	return fields
}

// TestDeploymentsAreConsistent replays each history: a deployed version was built and completed in the environment before; an
// environment has one deployment of a product at a time.
func TestDeploymentsAreConsistent(t *testing.T) {
	t.Parallel()
	lower := map[string]string{"qa": "dev", "staging": "qa", "production": "staging"}
	for name, history := range histories() {
		created := make(map[string]time.Time)
		for _, change := range history.Changes {
			if change.Action == "product.create" {
				created[change.Object] = change.At
			}
		}
		type place struct{ product, environment string }
		built, done := make(map[[2]string]bool), make(map[[3]string]bool)
		shas := make(map[[2]string]string)
		type inProgress struct {
			run   run
			event seed.Event
		}
		open, state := make(map[place]inProgress), make(map[run]ingest.Status)
		for _, event := range history.Events {
			this := runOf(t, event)
			require.True(t, event.At.After(created[event.ProductName]), "%s: %+v", name, event)
			version := [2]string{event.ProductName, event.Version}
			if shas[version] == "" {
				shas[version] = event.SHA
			}
			require.Equal(t, shas[version], event.SHA, "%s: a version has one commit", name)
			require.False(t, state[this].IsTerminal(), "%s: no event follows the end: %+v", name, event)
			if event.Status.IsTerminal() && state[this] != ingest.Started {
				require.Equal(t, ingest.Pending, state[this], "%s: %+v", name, event)
				require.Equal(t, ingest.Aborted, event.Status, "%s: a deployment without a start was not approved: %+v", name, event)
			}
			state[this] = event.Status
			if event.Kind == ingest.Build {
				built[version] = built[version] || event.Status == ingest.Completed
				continue
			}
			require.True(t, built[version], "%s: %+v", name, event)
			if below := lower[event.EnvironmentName]; below != "" {
				require.True(t, done[[3]string{event.ProductName, event.Version, below}], "%s: %s before %+v", name, below, event)
			}
			here := place{event.ProductName, event.EnvironmentName}
			if running, ok := open[here]; ok && running.run != this {
				require.Greater(t, event.At.Sub(running.event.At), 59*time.Minute, "%s: %+v overlaps %+v", name, running.event, event)
			}
			open[here] = inProgress{this, event}
			if event.Status.IsTerminal() {
				delete(open, here)
			}
			if event.Status == ingest.Failed {
				require.NotEmpty(t, metadata(t, event)["error"])
			}
			done[[3]string{event.ProductName, event.Version, event.EnvironmentName}] = done[[3]string{event.ProductName, event.Version, event.EnvironmentName}] || event.Status == ingest.Completed
		}
	}
}

// TestHistoriesAreComplete requires each kind of outcome.
func TestHistoriesAreComplete(t *testing.T) {
	t.Parallel()
	for n := range uint64(12) {
		history := seed.New(n, 30, theEnd())
		require.Greater(t, len(history.Events), 3000)
		last := make(map[run]seed.Event)
		seen := make(map[string]int)
		night, weekend := 0, 0
		for _, event := range history.Events {
			last[runOf(t, event)] = event
			fields := metadata(t, event)
			if fields["rollback"] == true {
				seen["rollback"]++
			}
			if fields["reason"] != nil && fields["rollback"] == nil {
				seen["redeployment"]++
			}
			if fields["vi_gh_run_attempt"] == "2" {
				seen["repeated run"]++
			}
			if hour := event.At.Hour(); hour < 7 || hour >= 21 {
				night++
			}
			if event.At.Weekday() == time.Saturday || event.At.Weekday() == time.Sunday {
				weekend++
			}
		}
		require.Less(t, night, len(history.Events)/20, "seed %d: at night", n)
		require.Less(t, weekend, len(history.Events)/20, "seed %d: at weekends", n)
		for what, event := range last {
			kind := "deployment "
			if what.environment == "" {
				kind = "build "
			}
			seen[kind+string(event.Status)]++
			if event.Status == ingest.Started {
				if history.End.Sub(event.At) < time.Hour {
					seen[kind+"running"]++
				} else {
					seen[kind+"stale"]++
				}
			}
		}
		releases := make(map[string]string)
		for _, change := range history.Changes {
			seen[change.Action]++
			switch change.Action {
			case "release.create":
				releases[change.Object] = "draft"
			case "release.update":
				releases[change.Object] = change.Value
			}
		}
		require.Equal(t, 20, seen["product.create"])
		require.Equal(t, 12, seen["user.sign_in"])
		for _, status := range releases {
			seen["release "+status]++
		}
		for _, want := range []string{
			"build completed", "build failed", "build aborted", "deployment completed", "deployment failed", "deployment aborted",
			"deployment running", "deployment stale", "rollback", "redeployment", "repeated run",
			"release draft", "release in_progress", "release completed", "release cancelled",
		} {
			require.Positive(t, seen[want], "seed %d: %s", n, want)
		}
		require.Greater(t, seen["deployment completed"], 9*seen["deployment failed"], "seed %d", n)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	history := seed.New(1, 30, theEnd())
	summary := history.Summary()
	for _, part := range []string{"2025-02-18 to 2025-03-19 14:20 UTC", "20, in 4 environments; 12 users", " rollbacks among them"} {
		require.Contains(t, summary, part)
	}
}
