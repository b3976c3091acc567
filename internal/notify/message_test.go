package notify

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/policy"
)

// hostile is text that is harmful as markup.
const hostile = "<!channel> <https://evil.example|click> *bold* & \"quoted\" ``` </title><script>alert(1)</script>"

func hostilePayload(repeat int) payload {
	took := 3723.4
	text := strings.Repeat(hostile+"\r\n", repeat)
	return payload{
		ID: uuid.New(), Status: "failed", OccurredAt: time.Now(), Product: text, Version: text, Environment: text, Deployer: text, Repository: text,
		CommitSHA: text, RetryAt: new(time.Now()), PreflightMessage: text, OpenApprovals: []policy.ApprovalType{policy.ApprovalType(text), policy.ApprovalType(text)}, SourceURL: "https://ci.example.com/?q=" + strings.Repeat("<>&", repeat), Error: text, TookSeconds: &took, Text: text,
	}
}

// TestSlackLimits checks messages against the published limits of Block Kit: https://docs.slack.dev/reference/block-kit/blocks
func TestSlackLimits(t *testing.T) {
	t.Parallel()
	for eventType := range map[string]bool{"deployment.started": true, "deployment.failed": true, "deployment.preflight_failed": true, "build.completed": true, "build.aborted": true, "test": true} {
		for _, repeat := range []int{1, 10, 1000} {
			message, err := hostilePayload(repeat).slack(eventType)
			require.NoError(t, err)
			var parsed struct {
				Text   string           `json:"text"`
				Blocks []map[string]any `json:"blocks"`
			}
			require.NoError(t, json.Unmarshal(message, &parsed))
			require.LessOrEqual(t, utf8.RuneCountInString(parsed.Text), 40_000)
			requireEscaped(t, parsed.Text)
			require.LessOrEqual(t, len(parsed.Blocks), 50)
			for _, block := range parsed.Blocks {
				checkBlock(t, block)
			}
		}
	}
}

func checkBlock(t *testing.T, block map[string]any) {
	t.Helper()
	switch block["type"] {
	case "header":
		checkText(t, block["text"], "plain_text", 150)
	case "section":
		if block["text"] != nil {
			checkText(t, block["text"], "mrkdwn", 3000)
		} else {
			fields := block["fields"].([]any)
			require.NotEmpty(t, fields)
			require.LessOrEqual(t, len(fields), 10)
			for _, field := range fields {
				checkText(t, field, "mrkdwn", 2000)
			}
		}
	case "actions":
		elements := block["elements"].([]any)
		require.LessOrEqual(t, len(elements), 25)
		for _, element := range elements {
			button := element.(map[string]any)
			require.Equal(t, "button", button["type"])
			checkText(t, button["text"], "plain_text", 75)
			require.LessOrEqual(t, utf8.RuneCountInString(button["url"].(string)), 3000)
		}
	default:
		require.Fail(t, "an unknown type of block", "%v", block)
	}
}

func checkText(t *testing.T, object any, kind string, limit int) {
	t.Helper()
	text := object.(map[string]any)
	require.Equal(t, kind, text["type"])
	require.NotEmpty(t, text["text"])
	require.LessOrEqual(t, utf8.RuneCountInString(text["text"].(string)), limit)
	if kind == "mrkdwn" {
		requireEscaped(t, text["text"].(string))
	}
}

// requireEscaped accepts the three complete escape sequences of Slack.
func requireEscaped(t *testing.T, text string) {
	t.Helper()
	rest := strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(text)
	require.NotContains(t, rest, "&")
	require.NotContains(t, rest, "<")
	require.NotContains(t, rest, ">")
	require.LessOrEqual(t, strings.Count(text, "```"), 2)
}

func TestSummary(t *testing.T) {
	t.Parallel()
	about := payload{Product: "checkout", Version: "1.4.2", Environment: "production"}
	require.Equal(t, "checkout 1.4.2 was deployed to production", about.summary("deployment.completed"))
	require.Equal(t, "Deploying checkout 1.4.2 to production failed", about.summary("deployment.failed"))
	require.Equal(t, "Building checkout 1.4.2 was aborted", payload{Product: "checkout", Version: "1.4.2"}.summary("build.aborted"))
	require.Equal(t, "two lines", payload{Text: "two\r\nlines"}.summary(eventTest))
	for seconds, want := range map[float64]string{-1: "", 0.2: "less than a second", 59.9: "59 s", 61: "1 min 1 s", 3723: "1 h 2 min"} {
		require.Equal(t, want, formatDuration(seconds))
	}
	for address, want := range map[string]string{
		"https://ci.example.com/1": "https://ci.example.com/1", "vstfs:///Build/Build/7": "", "javascript:alert(1)": "", "": "", "http://": "", "%zz": "",
	} {
		require.Equal(t, want, payload{SourceURL: address}.runURL(), address)
	}
}

func TestIsSuccessful(t *testing.T) {
	t.Parallel()
	for eventType, want := range map[string]any{
		"deployment.completed": true, "deployment.failed": false, "deployment.preflight_failed": false, "deployment.started": nil,
		"deployment.aborted": nil, "deployment.pending": nil, "build.completed": nil, "build.failed": nil, "test": nil,
	} {
		got := isSuccessful(eventType)
		if want == nil {
			require.Nil(t, got, eventType)
		} else {
			require.Equal(t, want, *got, eventType)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"4": 4 * time.Second, " 120 ": 2 * time.Minute, "Mon, 23 Nov 2026 12:00:30 GMT": 30 * time.Second, "Mon, 23 Nov 2026 11:00:00 GMT": 0,
		"": 0, "-1": 0, "soon": 0, "1.5": 0, "99999999999999999999": 0,
	} {
		require.Equal(t, want, parseRetryAfter(text, now), text)
	}
	for _, status := range []int{408, 429, 500, 502, 503, 504, 599} {
		sent := classifyResponse(status, http.Header{"Retry-After": {"7200"}}, now)
		require.False(t, sent.permanent || sent.delivered, status)
		delay, more := nextDelay(1, sent.retryAfter)
		require.True(t, more)
		require.Equal(t, time.Hour, delay, "an hour at most")
	}
	for _, status := range []int{300, 301, 308, 400, 401, 403, 404, 409, 410, 418, 422, 499} {
		require.True(t, classifyResponse(status, nil, now).permanent, status)
	}
}
