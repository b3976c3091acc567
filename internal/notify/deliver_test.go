package notify_test

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestWebhook(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	hooks := newReceiver(t, nil)
	id := channel(t, api, "webhook", map[string]any{"url": hooks.URL + "/in", "secret": secret}, on("deployment.failed"), on("version.completed"))
	event := deploy(t, api, map[string]any{
		"status": "failed", "deployed_by": "ada", "deployed_by_name": "Ada <b>Lovelace</b>", "scm_repository": "acme/checkout", "scm_sha": "9fceb02",
		"deploy_url": "https://ci.example.com/4711", "completed_at": "2026-11-21T18:00:00+02:00",
	})
	got := hooks.wait(t, 1)[0]
	require.Equal(t, "/in", got.path)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "deployment.failed", got.header.Get("X-Versioner-Event"))
	require.Equal(t, map[string]any{
		"id": event.Field(t, "id"), "deployed_at": "2026-11-21T16:00:00Z", "event_type": "deployment.failed", "environment": "production",
		"is_successful": false, "deployer": "Ada <b>Lovelace</b>", "product_name": "checkout", "version": "1.4.2", "repo_name": "acme/checkout",
		"commit_sha": "9fceb02", "preflight_status": nil, "source_url": "https://ci.example.com/4711",
	}, got.object(t))
	require.NotContains(t, string(got.body), "\n")

	delivered := ended(t, api, id)
	require.Equal(t, delivered["id"], got.header.Get("webhook-id"))
	for name, want := range map[string]any{
		"status": "delivered", "attempts": 1.0, "response_status": 200.0, "error_class": nil, "next_attempt_at": nil,
		"event_type": "deployment.failed", "event_id": event.Field(t, "event_id"), "object_id": event.Field(t, "id"), "channel_name": "channel of the test",
	} {
		require.Equal(t, want, delivered[name], name)
	}

	api.PostEvent(t, "/build-events/", map[string]any{"product_name": "checkout", "version": "2"})
	build := hooks.wait(t, 2)[1]
	require.Equal(t, "build.completed", build.header.Get("X-Versioner-Event"))
	require.Nil(t, build.object(t)["is_successful"])
	require.Nil(t, build.object(t)["environment"])

	t.Run("Signatures", func(t *testing.T) {
		t.Parallel()
		verifier, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		require.NoError(t, verifier.Verify(got.body, got.header))
		require.Error(t, verifier.Verify(append([]byte(" "), got.body...), got.header))
		for program, script := range map[string]string{"python3": "../../docs/examples/verify_webhook.py", "node": "../../docs/examples/verify_webhook.mjs"} {
			for key, want := range map[string]string{secret: "genuine\n", "another secret": "forged\n"} {
				command := exec.CommandContext(t.Context(), program, script, got.header.Get("X-Versioner-Signature"), key)
				command.Stdin = strings.NewReader(string(got.body))
				out, err := command.Output()
				require.Equal(t, want == "genuine\n", err == nil, "%s: %v", program, err)
				require.Equal(t, want, string(out), program)
			}
		}
	})

	t.Run("TwoSignaturesAfterTheSecretHasChanged", func(t *testing.T) {
		const next = "another-secret-of-no-standard"
		answer := api.As(t, "sre", http.MethodPatch, "/notification-channels/"+id, `{"config":{"secret":"`+next+`"}}`)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		deploy(t, api, map[string]any{"status": "failed", "version": "3"})
		got := hooks.wait(t, 3)[2]
		old, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		require.NoError(t, old.Verify(got.body, got.header))
		current, err := standardwebhooks.NewWebhookRaw([]byte(next))
		require.NoError(t, err)
		require.NoError(t, current.Verify(got.body, got.header))
		for header, key := range map[string]string{"X-Versioner-Signature": next, "X-Versioner-Signature-Previous": secret} {
			command := exec.CommandContext(t.Context(), "python3", "../../docs/examples/verify_webhook.py", got.header.Get(header), key)
			command.Stdin = strings.NewReader(string(got.body))
			require.NoError(t, command.Run(), header)
		}
	})
}

func TestFilters(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	hooks := newReceiver(t, nil)
	create := func(name string, preferences ...map[string]any) {
		channel(t, api, "webhook", map[string]any{"url": hooks.URL + "/" + name}, preferences...)
	}
	filtered := func(eventType string, filters map[string]any) map[string]any {
		return map[string]any{"event_type": eventType, "filters": filters}
	}
	known := deploy(t, api, map[string]any{"product_name": "known", "environment_name": "known"})
	create("everything", on("deployment.completed"))
	create("nothing")
	create("another-type", on("deployment.failed"))
	create("product-to-come", filtered("deployment.completed", map[string]any{"products": []any{"checkout", "other"}}))
	create("another-product", filtered("deployment.completed", map[string]any{"products": []any{"other"}}))
	create("environment", filtered("deployment.completed", map[string]any{"environments": []any{"production"}}))
	create("another-environment", filtered("deployment.completed", map[string]any{"environments": []any{"staging"}}))
	create("status", filtered("deployment.completed", map[string]any{"statuses": []any{" Succeeded", "failed"}}))
	create("all-three", filtered("deployment.completed", map[string]any{"products": []any{"checkout"}, "environments": []any{"production"}, "statuses": []any{"completed"}}))
	create("two-of-three", filtered("deployment.completed", map[string]any{"products": []any{"checkout"}, "environments": []any{"staging"}, "statuses": []any{"completed"}}))
	create("twice", on("deployment.completed"), filtered("deployment.completed", map[string]any{"products": []any{"checkout"}}))
	create("identifier", filtered("deployment.completed", map[string]any{"products": []any{known.Field(t, "product_id")}, "environments": []any{known.Field(t, "environment_id")}}))

	deploy(t, api, nil)
	want := []string{"/everything", "/product-to-come", "/environment", "/status", "/all-three", "/twice"}
	hooks.wait(t, len(want))
	deploy(t, api, map[string]any{"product_name": "known", "environment_name": "known", "version": "2"})
	want = append(want, "/everything", "/identifier", "/status", "/twice")
	hooks.wait(t, len(want)) // an event matches the names at the time of its fan-out

	// A former name still selects the product.
	renamed := api.As(t, "admin", http.MethodPatch, "/products/"+known.Field(t, "product_id").(string), `{"name":"other"}`)
	require.Equal(t, http.StatusOK, renamed.Status)
	create("former-name", filtered("deployment.completed", map[string]any{"products": []any{"known"}, "environments": []any{"staging"}}))
	deploy(t, api, map[string]any{"product_name": "other", "environment_name": "staging"})
	want = append(want, "/everything", "/product-to-come", "/another-product", "/another-environment", "/status", "/twice", "/former-name")

	hooks.wait(t, len(want))
	time.Sleep(time.Second) // for requests that must not be sent
	var got []string
	for _, one := range hooks.requests() {
		got = append(got, one.path)
	}
	require.ElementsMatch(t, want, got)
}

func TestRetries(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	type want struct {
		answer   func(int, http.ResponseWriter, *http.Request)
		status   string
		attempts int
		response any
		class    any
	}
	retryAfter := func(number int, w http.ResponseWriter, _ *http.Request) {
		if number == 0 {
			w.Header().Set("Retry-After", "4")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}
	hangUp := func(number int, _ http.ResponseWriter, _ *http.Request) {
		if number == 0 {
			panic(http.ErrAbortHandler)
		}
	}
	for name, test := range map[string]want{
		"Takes":           {always(202), "delivered", 1, 202.0, nil},
		"ServerError":     {inOrder(500, 503, 200), "delivered", 3, 200.0, nil},
		"Timeout408":      {inOrder(408, 204), "delivered", 2, 204.0, nil},
		"TooManyRequests": {retryAfter, "delivered", 2, 200.0, nil},
		"HangsUp":         {hangUp, "delivered", 2, 200.0, nil},
		"NotFound":        {always(404), "failed", 1, 404.0, "http_4xx"},
		"BadRequest":      {always(400), "failed", 1, 400.0, "http_4xx"},
		"Redirect": {func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, "failed", 1, 307.0, "http_3xx"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hooks := newReceiver(t, test.answer)
			product := "product of " + name
			id := channel(t, api, "webhook", map[string]any{"url": hooks.URL}, map[string]any{
				"event_type": "deployment.completed", "filters": map[string]any{"products": []any{product}},
			})
			deploy(t, api, map[string]any{"product_name": product})
			got := ended(t, api, id)
			require.Equal(t, test.status, got["status"])
			require.EqualValues(t, test.attempts, got["attempts"])
			require.Equal(t, test.response, got["response_status"])
			require.Equal(t, test.class, got["error_class"])
			requests := hooks.requests()
			require.Len(t, requests, test.attempts)
			for _, one := range requests {
				require.Equal(t, requests[0].body, one.body)
				require.Equal(t, requests[0].header.Get("webhook-id"), one.header.Get("webhook-id"))
			}
			if name == "TooManyRequests" {
				require.GreaterOrEqual(t, requests[1].at.Sub(requests[0].at), 4*time.Second)
			}
		})
	}
}

// TestReceiver410DisablesChannel also covers the audit log and the notification of the account's other channels.
func TestReceiver410DisablesChannel(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	hooks, slack := newReceiver(t, always(http.StatusGone)), newReceiver(t, nil)
	id := channel(t, api, "webhook", map[string]any{"url": hooks.URL}, on("deployment.completed"))
	channel(t, api, "slack_webhook", map[string]any{"webhook_url": slack.URL})
	deploy(t, api, nil)
	got := ended(t, api, id)
	require.Equal(t, "failed", got["status"])
	require.Equal(t, "gone", got["error_class"])
	announced := slack.wait(t, 1)[0]
	require.Contains(t, string(announced.body), "is disabled: its receiver responded that it is permanently gone")

	disabled := api.As(t, "viewer", http.MethodGet, "/notification-channels/"+id, "")
	require.Equal(t, false, disabled.Field(t, "enabled"))
	require.Equal(t, "gone", disabled.Field(t, "disabled_reason"))
	require.Contains(t, string(api.As(t, "admin", http.MethodGet, "/audit-log/", "").Body), "notification_channel.disable")
	deploy(t, api, map[string]any{"version": "2"})
	require.Len(t, history(t, api, id), 1, "a disabled channel receives nothing")

	again := api.As(t, "sre", http.MethodPost, "/notification-history/"+got["id"].(string)+"/redeliver", "")
	require.Equal(t, http.StatusConflict, again.Status)
	enabled := api.As(t, "sre", http.MethodPatch, "/notification-channels/"+id, `{"enabled":true}`)
	require.Equal(t, true, enabled.Field(t, "enabled"))
	require.Nil(t, enabled.Field(t, "disabled_reason"))
}

// TestFailingForDays ages the first failure of a channel before its next one.
func TestFailingForDays(t *testing.T) {
	t.Parallel()
	mails := newMailServer(t)
	api := testapi.New(t, testapi.WithWork(), testapi.WithMailer(mails.mailer(t)))
	admin, err := json.Marshal(map[string]string{"name": "x"})
	require.NoError(t, err)
	api.As(t, "admin", http.MethodPost, "/products/", string(admin)) // now there is an admin
	api.Exec(t, "UPDATE users SET email = 'admin@example.com' WHERE claimed_role = 'admin'")
	hooks := newReceiver(t, always(http.StatusNotFound))
	id := channel(t, api, "webhook", map[string]any{"url": hooks.URL}, on("deployment.completed"))
	deploy(t, api, nil)
	ended(t, api, id)
	require.Eventually(t, func() bool {
		return api.As(t, "viewer", http.MethodGet, "/notification-channels/"+id, "").Field(t, "failing_since") != nil
	}, soon, 50*time.Millisecond)
	api.Exec(t, "UPDATE notification_channels SET failing_since = now() - interval '4 days 23 hours'")
	deploy(t, api, map[string]any{"version": "2"})
	require.Eventually(t, func() bool { return len(hooks.requests()) == 2 && ended(t, api, id)["status"] == "failed" }, soon, 50*time.Millisecond)
	require.Equal(t, true, api.As(t, "viewer", http.MethodGet, "/notification-channels/"+id, "").Field(t, "enabled"))

	api.Exec(t, "UPDATE notification_channels SET failing_since = now() - interval '5 days 1 minute'")
	deploy(t, api, map[string]any{"version": "3"})
	require.Eventually(t, func() bool {
		return api.As(t, "viewer", http.MethodGet, "/notification-channels/"+id, "").Field(t, "disabled_reason") == "failing"
	}, soon, 50*time.Millisecond)
	mail := mails.wait(t, 1)[0]
	require.Equal(t, []string{"admin@example.com"}, mail.to)
	require.Contains(t, mail.text(t), "every delivery to it has failed for five days")
}

// TestOneChannelNeverDelaysAnother queues more deliveries to a hanging channel than there are workers.
func TestOneChannelNeverDelaysAnother(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	release := make(chan struct{})
	defer close(release)
	hanging := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	quick := newReceiver(t, nil)
	channel(t, api, "webhook", map[string]any{"url": hanging.URL}, on("deployment.completed"))
	channel(t, api, "webhook", map[string]any{"url": quick.URL}, on("deployment.failed"))
	for i := range 600 { // more than there are workers
		deploy(t, api, map[string]any{"version": strconv.Itoa(i)})
	}
	hanging.wait(t, 1)
	begin := time.Now()
	for i := range 20 {
		deploy(t, api, map[string]any{"version": strconv.Itoa(i), "status": "failed", "environment_name": "staging"})
	}
	quick.wait(t, 20)
	require.Less(t, time.Since(begin), 10*time.Second, "the timeout of the hanging receiver")
}

func TestDeletedChannel(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	hooks := newReceiver(t, always(http.StatusInternalServerError))
	id := channel(t, api, "webhook", map[string]any{"url": hooks.URL}, on("deployment.completed"))
	deploy(t, api, nil)
	hooks.wait(t, 1)
	require.Equal(t, http.StatusNoContent, api.As(t, "sre", http.MethodDelete, "/notification-channels/"+id, "").Status)
	got := ended(t, api, id)
	require.Equal(t, "cancelled", got["status"])
	require.Equal(t, "channel_deleted", got["error_class"])
	require.Nil(t, got["next_attempt_at"])
	again := api.As(t, "sre", http.MethodPost, "/notification-history/"+got["id"].(string)+"/redeliver", "")
	require.Equal(t, http.StatusConflict, again.Status)
	deploy(t, api, map[string]any{"version": "2"})
	require.Len(t, history(t, api, id), 1)
	var encrypted []byte
	api.Scan(t, "SELECT encrypted_config FROM notification_channels", &encrypted)
	require.Empty(t, encrypted)
	require.Equal(t, 0, api.Count(t, "notification_preferences"))
}

// TestDisabledChannelCancelsDeliveries disables a channel that has something waiting for its next attempt.
func TestDisabledChannelCancelsDeliveries(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	hooks := newReceiver(t, always(http.StatusInternalServerError))
	id := channel(t, api, "webhook", map[string]any{"url": hooks.URL}, on("deployment.completed"))
	deploy(t, api, nil)
	hooks.wait(t, 1)
	require.Equal(t, http.StatusOK, api.As(t, "sre", http.MethodPatch, "/notification-channels/"+id, `{"enabled":false}`).Status)
	got := ended(t, api, id)
	require.Equal(t, "cancelled", got["status"])
	require.Equal(t, "channel_disabled", got["error_class"])
}

func TestRedelivery(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithWork())
	hooks := newReceiver(t, inOrder(404, 200, 500, 500, 200))
	id := channel(t, api, "webhook", map[string]any{"url": hooks.URL}, on("deployment.completed"))
	deploy(t, api, nil)
	failed := ended(t, api, id)
	require.Equal(t, "failed", failed["status"])
	redeliver := func() testapi.Answer {
		return api.As(t, "sre", http.MethodPost, "/notification-history/"+failed["id"].(string)+"/redeliver", "")
	}
	accepted := redeliver()
	require.Equal(t, http.StatusAccepted, accepted.Status, "%s", accepted.Body)
	require.Equal(t, "pending", accepted.Field(t, "status"))
	again := ended(t, api, id)
	require.Equal(t, "delivered", again["status"])
	require.EqualValues(t, 2, again["attempts"])
	require.Nil(t, again["error_class"])
	requests := hooks.requests()
	require.Equal(t, requests[0].body, requests[1].body)
	require.Equal(t, requests[0].header.Get("webhook-id"), requests[1].header.Get("webhook-id"))

	redeliver() // also what was delivered; the first retries are quick
	hooks.wait(t, 3)
	redeliver() // while one is pending: it is sent immediately, and the previous generation ends
	require.Equal(t, "delivered", ended(t, api, id)["status"])
	time.Sleep(3 * time.Second)
	require.Len(t, hooks.requests(), 5)
	require.Len(t, history(t, api, id), 1)
}

func TestChannelTestMessage(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	hooks := newReceiver(t, inOrder(200, 404))
	id := channel(t, api, "webhook", map[string]any{"url": hooks.URL, "secret": secret})
	test := func() testapi.Answer {
		return api.As(t, "sre", http.MethodPost, "/notification-channels/"+id+"/test", "")
	}
	answer := test()
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.Equal(t, true, answer.Field(t, "delivered"))
	require.EqualValues(t, 200, answer.Field(t, "response_status"))
	got := hooks.requests()[0]
	require.Equal(t, "test", got.header.Get("X-Versioner-Event"))
	require.Equal(t, answer.Field(t, "delivery_id"), got.header.Get("webhook-id"))
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(got.body, got.header))

	require.Equal(t, http.StatusOK, api.As(t, "sre", http.MethodPatch, "/notification-channels/"+id, `{"enabled":false}`).Status)
	answer = test()
	require.Equal(t, false, answer.Field(t, "delivered"), "and it works while the channel is disabled")
	require.Equal(t, "http_4xx", answer.Field(t, "error_class"))
	require.EqualValues(t, 404, answer.Field(t, "response_status"))
	tests := history(t, api, id)
	require.Len(t, tests, 2)
	require.Equal(t, "failed", tests[0]["status"])
	require.Equal(t, "test", tests[0]["event_type"])
	require.NotContains(t, api.Logs.String(), secret)
}
