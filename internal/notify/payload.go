package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
)

// Event types beside those of deployments and builds.
const (
	eventTest            = "test"
	eventChannelDisabled = "notification_channel.disabled"
)

// payload is the content of a message as it was when the event was recorded. It is the same for every attempt.
type payload struct {
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
	URLLabel        string    `json:"url_label,omitempty"` // of the source; empty: it is a run
	PreflightStatus string    `json:"preflight_status,omitempty"`
	Error           string    `json:"error,omitempty"`

	PreflightCode    string                `json:"preflight_code,omitempty"`
	PreflightMessage string                `json:"preflight_message,omitempty"`
	RetryAt          *time.Time            `json:"retry_at,omitempty"` // when rules let the deployment start
	OpenApprovals    []policy.ApprovalType `json:"open_approvals,omitempty"`

	TookSeconds *float64 `json:"took_seconds,omitempty"`
	Text        string   `json:"text,omitempty"` // replaces the summary of a deployment or build

	Lines []ingest.NoticeLine `json:"lines,omitempty"` // replace the fields of a deployment or build
	Body  json.RawMessage     `json:"body,omitempty"`  // replaces that of a webhook
}

// summary describes the event in one line.
func (p payload) summary(eventType string) string {
	subject := p.Product + " " + p.Version
	target := ""
	if p.Environment != "" {
		target = " to " + p.Environment
	}
	summary := map[string]string{
		"deployment.pending":              subject + " waits to be deployed" + target,
		"deployment.started":              subject + " is being deployed" + target,
		"deployment.completed":            subject + " was deployed" + target,
		"deployment.failed":               "Deploying " + subject + target + " failed",
		"deployment.aborted":              "Deploying " + subject + target + " was aborted",
		"deployment.preflight_failed":     "Deploying " + subject + target + " was blocked by deployment rules",
		"deployment.preflight_skipped":    "Deploying " + subject + target + " skipped deployment rules",
		"deployment.preflight_overridden": "Deploying " + subject + target + " overrode deployment rules with a break-glass grant",
		"build.pending":                   subject + " waits to be built",
		"build.started":                   subject + " is being built",
		"build.completed":                 subject + " was built",
		"build.failed":                    "Building " + subject + " failed",
		"build.aborted":                   "Building " + subject + " was aborted",
	}[eventType]
	if summary == "" {
		summary = p.Text
	}
	return singleLine(summary)
}

// isSuccessful returns nil for events that are neither a success nor a failure, and for all events of builds.
func isSuccessful(eventType string) *bool {
	success := eventType == "deployment.completed"
	if success || eventType == "deployment.failed" || eventType == "deployment.preflight_failed" {
		return &success
	}
	return nil
}

// field is a labelled line of an e-mail or Slack message.
type field struct{ Name, Value string }

// fields returns the labelled lines of a message, without empty ones.
func (p payload) fields() []field {
	if len(p.Lines) > 0 {
		return fieldsOf(p.Lines)
	}
	var took string
	if p.TookSeconds != nil {
		took = formatDuration(*p.TookSeconds)
	}
	status := p.Status
	if status == string(ingest.PreflightFailed) {
		status = "blocked"
	}
	retry := ""
	if p.RetryAt != nil {
		retry = p.RetryAt.UTC().Add(time.Second - time.Nanosecond).Truncate(time.Second).Format(time.RFC3339)
	}
	return fieldsOf([]ingest.NoticeLine{
		{Name: "Product", Value: p.Product},
		{Name: "Version", Value: p.Version},
		{Name: "Environment", Value: p.Environment},
		{Name: "Status", Value: status},
		{Name: "By", Value: p.Deployer},
		{Name: "Took", Value: took},
		{Name: "Reason", Value: p.PreflightMessage},
		{Name: "Open approvals", Value: policy.JoinTypes(p.OpenApprovals)},
		{Name: "Retry after", Value: retry},
		{Name: "Repository", Value: p.Repository},
		{Name: "Commit", Value: p.CommitSHA},
	})
}

// fieldsOf returns lines without empty ones.
func fieldsOf(lines []ingest.NoticeLine) []field {
	var fields []field
	for _, line := range lines {
		if value := singleLine(line.Value); value != "" {
			fields = append(fields, field{line.Name, value})
		}
	}
	return fields
}

func formatDuration(seconds float64) string {
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

// urlLabel returns the label of the link to the run, or to the object of a change.
func (p payload) urlLabel() string { return cmp.Or(p.URLLabel, "Open the run") }

// runURL returns the address of the run if a browser can open it: CI systems also report vstfs:/// and similar ones.
func (p payload) runURL() string {
	address, err := url.Parse(p.SourceURL)
	if err != nil || address.Scheme != "https" && address.Scheme != "http" || address.Host == "" {
		return ""
	}
	return address.String()
}

// singleLine keeps a name within one line of a header or title.
func singleLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// truncate shortens text to limit characters.
func truncate(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}
