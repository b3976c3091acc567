package notify

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
)

func TestMessagesOfPreflightEvents(t *testing.T) {
	t.Parallel()
	retry := time.Date(2027, 1, 4, 11, 0, 0, 1, time.UTC)
	blocked := payloadOf(ingest.FanOutEvent{
		SubjectID: uuid.New(), EventType: "deployment.preflight_failed", Status: ingest.PreflightFailed, Product: "shop", Version: "1.4.2", Environment: "production",
		Metadata:  json.RawMessage(`{"preflight_status":{"status":"failed"}}`),
		Preflight: &ingest.PreflightNotice{Code: "NO_DEPLOY_WINDOW", Message: "Holiday freeze: no deployments.", RetryAt: &retry, OpenApprovals: []policy.ApprovalType{"qa", "code_review"}},
	})
	body, err := blocked.webhook("deployment.preflight_failed")
	require.NoError(t, err)
	var sent map[string]any
	require.NoError(t, json.Unmarshal(body, &sent))
	require.Equal(t, false, sent["is_successful"])
	require.Equal(t, "failed", sent["preflight_status"])
	require.Equal(t, "NO_DEPLOY_WINDOW", sent["preflight_code"])
	require.Equal(t, "Holiday freeze: no deployments.", sent["preflight_message"])

	message, err := blocked.slack("deployment.preflight_failed")
	require.NoError(t, err)
	require.Contains(t, string(message), "Deploying shop 1.4.2 to production was blocked by deployment rules")
	require.Contains(t, string(message), "Holiday freeze: no deployments.")
	require.Contains(t, string(message), `*Open approvals*\nQA, code review"`)
	require.Contains(t, string(message), `*Retry after*\n2027-01-04T11:00:01Z`, "in whole seconds, not too early")

	overridden := payloadOf(ingest.FanOutEvent{Metadata: json.RawMessage(`{"preflight_status":{"status":"overridden"}}`)})
	require.Equal(t, "skipped", overridden.PreflightStatus, "receivers know three values")
	body, err = overridden.webhook("deployment.completed")
	require.NoError(t, err)
	require.NotContains(t, string(body), "preflight_code")
}
