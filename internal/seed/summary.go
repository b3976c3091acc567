package seed

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/versioner-io/versioner/internal/ingest"
)

// staleAfter is longer than any deployment and approval of a history.
const staleAfter = 2 * time.Hour

// Summary returns counts of the history for users.
func (h History) Summary() string {
	versions, last := make(map[[2]string]bool), make(map[[6]any]Event) // the last event of each attempt of a run
	rollbacks := 0
	for _, event := range h.Events {
		versions[[2]string{event.Product, event.Version}] = true
		last[[6]any{event.IsBuild, event.Product, event.Version, event.Environment, event.InvokeID, event.Metadata["vi_gh_run_attempt"]}] = event
		if event.Metadata["rollback"] == true && event.Status == ingest.Started {
			rollbacks++
		}
	}
	builds, deployments, releases := make(map[string]int), make(map[string]int), make(map[string]int)
	for _, event := range last {
		outcome := string(event.Status)
		if !event.Status.IsTerminal() && h.End.Sub(event.At) > staleAfter {
			outcome = "stale"
		}
		if event.IsBuild {
			builds[outcome]++
		} else {
			deployments[outcome]++
		}
	}
	for _, release := range h.Releases {
		releases[release.Status()]++
	}
	var text strings.Builder
	fmt.Fprintf(&text, "  from         %s to %s\n", h.Start.Format(time.DateOnly), h.End.Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(&text, "  products     %d, in %d environments; %d users\n", len(h.Products), len(h.Environments), len(h.Users))
	fmt.Fprintf(&text, "  versions     %d\n  builds       %s\n", len(versions), tally(builds))
	fmt.Fprintf(&text, "  deployments  %s; %d rollbacks among them\n", tally(deployments), rollbacks)
	fmt.Fprintf(&text, "  releases     %s\n  events       %d\n", tally(releases), len(h.Events))
	return text.String()
}

// tally formats a total with its parts.
func tally(counts map[string]int) string {
	total, parts := 0, make([]string, 0, len(counts))
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		total += counts[kind]
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return fmt.Sprintf("%d (%s)", total, strings.Join(parts, ", "))
}
