package notify

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// What is told beside the events of contract.md §3.
const (
	eventTest            = "test"
	eventChannelDisabled = "notification_channel.disabled"
)

// notice is the content of a message, as it was when the event was recorded: it is the same for every attempt. noticeOf makes
// those of events.
type notice struct {
	ID              uuid.UUID `json:"id"` // of the deployment or build
	Status          string    `json:"status,omitempty"`
	OccurredAt      time.Time `json:"occurred_at"`
	Product         string    `json:"product,omitempty"`
	Version         string    `json:"version,omitempty"`
	Environment     string    `json:"environment,omitempty"`
	Deployer        string    `json:"deployer,omitempty"`
	Repository      string    `json:"repository,omitempty"`
	CommitSHA       string    `json:"commit_sha,omitempty"`
	SourceURL       string    `json:"source_url,omitempty"`
	PreflightStatus string    `json:"preflight_status,omitempty"`
	Error           string    `json:"error,omitempty"`
	TookSeconds     *float64  `json:"took_seconds,omitempty"`
	Text            string    `json:"text,omitempty"` // instead of a sentence about a deployment or build
}

// sentence says what happened in one line.
func (n notice) sentence(eventType string) string {
	what := n.Product + " " + n.Version
	where := ""
	if n.Environment != "" {
		where = " to " + n.Environment
	}
	sentence := map[string]string{
		"deployment.pending":          what + " waits to be deployed" + where,
		"deployment.started":          what + " is being deployed" + where,
		"deployment.completed":        what + " was deployed" + where,
		"deployment.failed":           "Deploying " + what + where + " failed",
		"deployment.aborted":          "Deploying " + what + where + " was aborted",
		"deployment.preflight_failed": "Deploying " + what + where + " was refused by the checks before it",
		"build.pending":               what + " waits to be built",
		"build.started":               what + " is being built",
		"build.completed":             what + " was built",
		"build.failed":                "Building " + what + " failed",
		"build.aborted":               "Building " + what + " was aborted",
	}[eventType]
	if sentence == "" {
		sentence = n.Text
	}
	return oneLine(sentence)
}

// isSuccessful is nil where there is neither success nor failure to tell (contract.md §9).
func isSuccessful(eventType string) *bool {
	success := eventType == "deployment.completed"
	if success || eventType == "deployment.failed" || eventType == "deployment.preflight_failed" {
		return &success
	}
	return nil
}

// fact is a line of a message for people.
type fact struct{ Name, Value string }

// facts are what people want to know, without what is not known.
func (n notice) facts() []fact {
	var took string
	if n.TookSeconds != nil {
		took = duration(*n.TookSeconds)
	}
	var facts []fact
	for _, one := range []fact{
		{"Product", n.Product},
		{"Version", n.Version},
		{"Environment", n.Environment},
		{"Status", n.Status},
		{"By", n.Deployer},
		{"Took", took},
		{"Repository", n.Repository},
		{"Commit", n.CommitSHA},
	} {
		if one.Value = oneLine(one.Value); one.Value != "" {
			facts = append(facts, one)
		}
	}
	return facts
}

func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 0:
		return ""
	case d < time.Second:
		return "less than a second"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
}

// link is the address of the run, if it is one that people may be sent to: CI systems also report vstfs:/// and the like.
func (n notice) link() string {
	address, err := url.Parse(n.SourceURL)
	if err != nil || address.Scheme != "https" && address.Scheme != "http" || address.Host == "" {
		return ""
	}
	return address.String()
}

// oneLine keeps names from breaking out of their line: of a header, of a title.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// cut shortens to so many characters.
func cut(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}
