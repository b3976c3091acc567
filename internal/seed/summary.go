package seed

import (
	"fmt"
	"strings"
	"time"

	"github.com/versioner-io/versioner/internal/ingest"
)

// staleAfter is longer than any deployment and approval of a history.
const staleAfter = 2 * time.Hour

// Summary returns counts of the history for users.
func (h History) Summary() string {
	builds, deployments := h.outcomes()
	versions := make(map[[2]string]bool)
	rollbacks := 0
	for _, event := range h.Events {
		versions[[2]string{event.Product, event.Version}] = true
		if event.Metadata["rollback"] == true && event.Status == ingest.Started {
			rollbacks++
		}
	}
	releases := make(map[string]int)
	for _, release := range h.Releases {
		releases[release.Status()]++
	}
	var text strings.Builder
	fmt.Fprintf(&text, "  from         %s to %s\n", h.Start.Format(time.DateOnly), h.End.Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(&text, "  products     %d, in %d environments; %d users\n", len(h.Products), len(h.Environments), len(h.Users))
	fmt.Fprintf(&text, "  versions     %s\n", grouped(len(versions)))
	fmt.Fprintf(&text, "  builds       %s\n", tally(builds, "completed", "failed", "aborted", "running", "stale"))
	fmt.Fprintf(&text, "  deployments  %s; %d rollbacks among them\n", tally(deployments, "completed", "failed", "aborted", "pending", "running", "stale"), rollbacks)
	fmt.Fprintf(&text, "  releases     %s\n", tally(releases, "draft", "in_progress", "completed", "cancelled"))
	fmt.Fprintf(&text, "  events       %s\n", grouped(len(h.Events)))
	return text.String()
}

// outcomes counts builds and deployments by their outcome.
func (h History) outcomes() (builds, deployments map[string]int) {
	type record struct {
		isBuild                                     bool
		product, version, environment, run, attempt string
	}
	last := make(map[record]Event)
	for _, event := range h.Events {
		attempt, _ := event.Metadata["vi_gh_run_attempt"].(string)
		last[record{event.IsBuild, event.Product, event.Version, event.Environment, event.InvokeID, attempt}] = event
	}
	builds, deployments = make(map[string]int), make(map[string]int)
	for what, event := range last {
		outcome := string(event.Status)
		switch {
		case !event.Status.IsTerminal() && h.End.Sub(event.At) > staleAfter:
			outcome = "stale"
		case event.Status == ingest.Started:
			outcome = "running"
		}
		if what.isBuild {
			builds[outcome]++
		} else {
			deployments[outcome]++
		}
	}
	return builds, deployments
}

// tally formats a total with its parts.
func tally(counts map[string]int, kinds ...string) string {
	total := 0
	var parts []string
	for _, kind := range kinds {
		if counts[kind] > 0 {
			total += counts[kind]
			parts = append(parts, fmt.Sprintf("%s %s", grouped(counts[kind]), kind))
		}
	}
	return fmt.Sprintf("%s (%s)", grouped(total), strings.Join(parts, ", "))
}
