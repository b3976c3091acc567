package ingest

import (
	"slices"
	"strings"
)

// Status is the state of a build or a deployment.
type Status string

// The statuses. All but the first two are terminal. No event has the last one: it is that of a start that rules have blocked.
const (
	Pending         Status = "pending"
	Started         Status = "started"
	Completed       Status = "completed"
	Failed          Status = "failed"
	Aborted         Status = "aborted"
	PreflightFailed Status = "preflight_failed"
)

// StatusAliases lists every accepted spelling of a status, in the order of error messages.
func StatusAliases() []string {
	var all []string
	for _, entry := range statusWords {
		all = append(all, entry.words...)
	}
	return all
}

// ParseStatus returns the status that the text spells; case and surrounding white space do not count.
func ParseStatus(text string) (Status, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	for _, entry := range statusWords {
		if slices.Contains(entry.words, text) {
			return entry.status, true
		}
	}
	return "", false
}

// IsTerminal reports whether the status ends a build or a deployment.
func (s Status) IsTerminal() bool {
	return s == Completed || s == Failed || s == Aborted || s == PreflightFailed
}
