package notify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestWebhookBody checks the bytes that are signed: receivers serialise the body again, without escapes.
func TestWebhookBody(t *testing.T) {
	t.Parallel()
	const secret = "a secret of the test"
	api := testapi.New(t, testapi.WithWork())
	receiver := newReceiver(t, nil)
	channel(t, api, "webhook", map[string]any{"url": receiver.URL, "secret": secret}, on("deployment.completed"))
	deploy(t, api, map[string]any{
		"deploy_url": "https://bot:s3cret@ci.example.com/run?job=7&step=<2>&x=1", "scm_repository": "https://bot:s3cret@git.example.com/acme/shop.git",
		"version": "1 & 2", "deployed_by": "mona <mona@example.com>",
	})
	got := receiver.wait(t, 1)[0]
	body := string(got.body)
	require.Contains(t, body, `"source_url":"https://ci.example.com/run?job=7&step=<2>&x=1"`)
	require.Contains(t, body, `"version":"1 & 2"`)
	require.Contains(t, body, `"deployer":"mona <mona@example.com>"`)
	require.Contains(t, body, `"repo_name":"https://git.example.com/acme/shop.git"`)
	require.NotContains(t, body, `\u00`)
	require.NotContains(t, body, "s3cret")
	require.NotContains(t, body, "\n")
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(got.body)
	require.Equal(t, "sha256="+hex.EncodeToString(mac.Sum(nil)), got.header.Get("X-Versioner-Signature"))
	require.Len(t, got.object(t), 12)
}
