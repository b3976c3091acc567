package seed_test

import (
	"encoding/json"
	"fmt"
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
		for i := range history.Events { // which JSON omits
			history.Events[i].Metadata["at"] = history.Events[i].At
		}
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
		for _, product := range history.Products {
			require.True(t, product.CreatedAt.After(history.Start) && product.CreatedAt.Before(history.End), "%s: %+v", name, product)
		}
		for _, edit := range history.Edits {
			require.True(t, edit.At.After(history.Start) && edit.At.Before(history.End), "%s: %+v", name, edit)
		}
		for _, release := range history.Releases {
			before := release.CreatedAt
			require.True(t, before.After(history.Start), "%s: %+v", name, release)
			for _, step := range release.Steps {
				require.False(t, step.At.Before(before), "%s: %+v", name, release)
				before = step.At
			}
			require.False(t, before.After(history.End), "%s: %+v", name, release)
		}
	}
}

// run is a deployment or a build.
type run struct{ product, version, environment, id, attempt string }

func runOf(event seed.Event) run {
	attempt, _ := event.Metadata["vi_gh_run_attempt"].(string)
	return run{event.Product, event.Version, event.Environment, event.InvokeID, attempt}
}

// TestDeploymentsAreConsistent replays each history: a deployed version was built and completed in the environment before; an
// environment has one deployment of a product at a time.
func TestDeploymentsAreConsistent(t *testing.T) {
	t.Parallel()
	lower := map[string]string{"qa": "dev", "staging": "qa", "production": "staging"}
	for name, history := range histories() {
		products := make(map[string]seed.Product)
		for _, product := range history.Products {
			products[product.Name] = product
		}
		type place struct{ product, environment string }
		built, done := make(map[[2]string]bool), make(map[[3]string]bool)
		shas := make(map[[2]string]string)
		open, state := make(map[place]seed.Event), make(map[run]ingest.Status)
		for _, event := range history.Events {
			require.False(t, event.At.Before(products[event.Product].CreatedAt), "%s: %+v", name, event)
			version := [2]string{event.Product, event.Version}
			if shas[version] == "" {
				shas[version] = event.SHA
			}
			require.Equal(t, shas[version], event.SHA, "%s: a version has one commit", name)
			require.False(t, state[runOf(event)].IsTerminal(), "%s: no event follows the end: %+v", name, event)
			if event.Status.IsTerminal() && state[runOf(event)] != ingest.Started {
				require.Equal(t, ingest.Pending, state[runOf(event)], "%s: %+v", name, event)
				require.Equal(t, ingest.Aborted, event.Status, "%s: a deployment without a start was not approved: %+v", name, event)
			}
			state[runOf(event)] = event.Status
			if event.IsBuild {
				built[version] = built[version] || event.Status == ingest.Completed
				continue
			}
			require.True(t, built[version], "%s: %+v", name, event)
			if below := lower[event.Environment]; below != "" {
				require.True(t, done[[3]string{event.Product, event.Version, below}], "%s: %s before %+v", name, below, event)
			}
			here := place{event.Product, event.Environment}
			if running, ok := open[here]; ok && runOf(running) != runOf(event) {
				require.Greater(t, event.At.Sub(running.At), 59*time.Minute, "%s: %+v overlaps %+v", name, running, event)
			}
			open[here] = event
			if event.Status.IsTerminal() {
				delete(open, here)
			}
			if event.Status == ingest.Failed {
				require.NotEmpty(t, event.Metadata["error"])
			}
			done[[3]string{event.Product, event.Version, event.Environment}] = done[[3]string{event.Product, event.Version, event.Environment}] || event.Status == ingest.Completed
		}
	}
}

// TestHistoriesAreComplete requires each kind of outcome.
func TestHistoriesAreComplete(t *testing.T) {
	t.Parallel()
	for n := range uint64(12) {
		history := seed.New(n, 30, theEnd())
		require.Len(t, history.Products, 20)
		require.Len(t, history.Users, 12)
		require.Greater(t, len(history.Events), 3000)
		last := make(map[run]seed.Event)
		seen := make(map[string]int)
		night, weekend := 0, 0
		for _, event := range history.Events {
			last[runOf(event)] = event
			if event.Metadata["rollback"] == true {
				seen["rollback"]++
			}
			if event.Metadata["reason"] != nil && event.Metadata["rollback"] == nil {
				seen["redeployment"]++
			}
			if event.Metadata["vi_gh_run_attempt"] == "2" {
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
		for _, release := range history.Releases {
			seen["release "+release.Status()]++
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
	for _, part := range []string{"2025-02-18 to 2025-03-19 14:20 UTC", "20, in 4 environments; 12 users", " stale", " started", " rollbacks among them", "1 draft"} {
		require.Contains(t, summary, part)
	}
}
