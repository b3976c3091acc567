package ingest

import (
	"slices"
	"strings"
)

// Status is the state of a build or a deployment: contract.md §3.
type Status string

// The statuses. The last three are terminal.
const (
	Pending   Status = "pending"
	Started   Status = "started"
	Completed Status = "completed"
	Failed    Status = "failed"
	Aborted   Status = "aborted"
)

// statusAliases are all spellings, in the order in which error messages list them.
//
//nolint:gochecknoglobals // a constant table
var statusAliases = []struct {
	status Status
	words  []string
}{
	{Pending, []string{"pending", "queued", "scheduled"}},
	{Started, []string{"started", "in_progress", "init", "deploying", "building"}},
	{Completed, []string{"success", "succeeded", "completed", "complete", "finished", "deployed", "built"}},
	{Failed, []string{"failed", "fail", "failure", "error"}},
	{Aborted, []string{"aborted", "abort", "cancelled", "canceled", "cancel", "skipped"}},
}

// StatusAliases lists every accepted spelling of a status.
func StatusAliases() []string {
	var all []string
	for _, entry := range statusAliases {
		all = append(all, entry.words...)
	}
	return all
}

// ParseStatus returns the status that the text spells; case and surrounding white space do not count.
func ParseStatus(text string) (Status, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	for _, entry := range statusAliases {
		if slices.Contains(entry.words, text) {
			return entry.status, true
		}
	}
	return "", false
}

// IsTerminal reports whether the status ends a build or a deployment.
func (s Status) IsTerminal() bool {
	return s == Completed || s == Failed || s == Aborted
}
