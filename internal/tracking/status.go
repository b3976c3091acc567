package tracking

import (
	"slices"
	"strings"
)

// Status is how far a build or a deployment has come: contract.md §3.
type Status string

// The statuses. The last three are final.
const (
	Pending   Status = "pending"
	Started   Status = "started"
	Completed Status = "completed"
	Failed    Status = "failed"
	Aborted   Status = "aborted"
)

// acceptedWords are all spellings, in the order in which they are told to people.
//
//nolint:gochecknoglobals // a constant table
var acceptedWords = []struct {
	status Status
	words  []string
}{
	{Pending, []string{"pending", "queued", "scheduled"}},
	{Started, []string{"started", "in_progress", "init", "deploying", "building"}},
	{Completed, []string{"success", "succeeded", "completed", "complete", "finished", "deployed", "built"}},
	{Failed, []string{"failed", "fail", "failure", "error"}},
	{Aborted, []string{"aborted", "abort", "cancelled", "canceled", "cancel", "skipped"}},
}

// AcceptedStatusWords lists every spelling of a status.
func AcceptedStatusWords() []string {
	var all []string
	for _, entry := range acceptedWords {
		all = append(all, entry.words...)
	}
	return all
}

// ParseStatus understands every spelling, whatever its case and the white space around it.
func ParseStatus(text string) (Status, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	for _, entry := range acceptedWords {
		if slices.Contains(entry.words, text) {
			return entry.status, true
		}
	}
	return "", false
}

// Final tells whether nothing is expected to follow.
func (s Status) Final() bool {
	return s == Completed || s == Failed || s == Aborted
}
