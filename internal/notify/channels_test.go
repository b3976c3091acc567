package notify_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/testapi"
)

func TestChannels(t *testing.T) {
	t.Parallel()

	t.Run("SecretsAreRedactedAndEncrypted", func(t *testing.T) {
		t.Parallel()
		mails := newMailServer(t)
		api := testapi.New(t, testapi.WithMailer(mails.mailer(t)))
		const slack = "http://127.0.0.1:9/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx"
		for _, test := range []struct {
			kind         string
			config, want map[string]any
		}{
			{"slack_webhook", map[string]any{"webhook_url": slack}, map[string]any{"webhook_url": "http://127.0.0.1:9/****uvwx"}},
			{
				"webhook",
				map[string]any{"url": "http://127.0.0.1:9/in?token=very-secret-token", "secret": "a secret of the test"},
				map[string]any{"url": "http://127.0.0.1:9/****oken", "secret": "****"},
			},
			{"webhook", map[string]any{"url": "http://127.0.0.1:9/short"}, map[string]any{"url": "http://127.0.0.1:9/****"}},
			{"email", map[string]any{"to": "a@example.com, b@example.com"}, map[string]any{"to": "a@example.com, b@example.com"}},
		} {
			id := channel(t, api, test.kind, test.config)
			read := api.As(t, "viewer", http.MethodGet, "/notification-channels/"+id, "")
			require.Equal(t, test.want, read.Field(t, "config"))
			require.Equal(t, true, read.Field(t, "enabled"))

			// What was read can be sent back: nothing changes.
			var before, after []byte
			api.Scan(t, "SELECT encrypted_config FROM notification_channels WHERE id = '"+id+"'", &before)
			config, err := json.Marshal(map[string]any{"config": read.Field(t, "config"), "name": "renamed"})
			require.NoError(t, err)
			changed := api.As(t, "sre", http.MethodPatch, "/notification-channels/"+id, string(config))
			require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)
			require.Equal(t, "renamed", changed.Field(t, "name"))
			require.Equal(t, test.want, changed.Field(t, "config"))
			api.Scan(t, "SELECT encrypted_config FROM notification_channels WHERE id = '"+id+"'", &after)
			require.Equal(t, before, after)
		}
		var dump string
		api.Scan(t, "SELECT string_agg(c::text, '') || (SELECT string_agg(a::text, '') FROM audit_log a) FROM notification_channels c", &dump)
		for _, hidden := range []string{"abcdefghijklmnopqrstuvwx", "very-secret-token", "a secret of the test", "a@example.com"} {
			require.NotContains(t, dump, hidden)
			require.NotContains(t, api.Logs.String(), hidden)
		}
	})

	t.Run("RejectsInvalidConfigurations", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		for body, want := range map[string]string{
			`{"name":"x","channel_type":"webhook","config":{}}`:                                                           `["body","config","url"]`,
			`{"name":"x","channel_type":"slack_webhook","config":{"url":"http://127.0.0.1/"}}`:                            `["body","config","webhook_url"]`,
			`{"name":"x","channel_type":"webhook","config":{"url":"http://127.0.0.1/","to":"a@b.c"}}`:                     `not valid for channel type webhook`,
			`{"name":"x","channel_type":"webhook","config":{"url":"http://10.0.0.1/"}}`:                                   `not public`,
			`{"name":"x","channel_type":"webhook","config":{"url":"http://user@127.0.0.1/"}}`:                             `user`,
			`{"name":"x","channel_type":"webhook","config":{"url":"ftp://example.com/"}}`:                                 `https://`,
			`{"name":"x","channel_type":"webhook","config":{"url":"http://127.0.0.1/","secret":"short"}}`:                 `8`,
			`{"name":"x","channel_type":"webhook","config":{"url":"http://127.0.0.1/","secret":"whsec_notbase64!"}}`:      `whsec_`,
			`{"name":"x","channel_type":"email","config":{"to":"a@example.com"}}`:                                         `VERSIONER_SMTP_URL`,
			`{"name":"x","channel_type":"email","config":{"to":"a@example.com\r\nBcc: b@example.com"}}`:                   `line breaks`,
			`{"name":"x","channel_type":"email","config":{"to":"Ada <a@example.com>"}}`:                                   `not an e-mail address`,
			`{"name":" ","channel_type":"webhook","config":{"url":"http://127.0.0.1/"}}`:                                  `["body","name"]`,
			`{"name":"x","channel_type":"pager","config":{}}`:                                                             `["body","channel_type"]`,
			`{"name":"x","channel_type":"webhook","config":{"url":"http://127.0.0.1/","headers":{"X":"y"}}}`:              `value_error.extra`,
			`{"name":"x","channel_type":"webhook","config":{"url":"http://127.0.0.1/","previous_secret":"12345678"}}`:     `value_error.extra`,
			`{"name":"x","channel_type":"webhook","config":{"url":"http://127.0.0.1/` + strings.Repeat("x", 2048) + `"}}`: `max_length`,
		} {
			answer := api.As(t, "sre", http.MethodPost, "/notification-channels/", body)
			require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s: %s", body, answer.Body)
			require.Contains(t, string(answer.Body), want, body)
		}
		require.Equal(t, 0, api.Count(t, "notification_channels"))
	})

	t.Run("RejectsStaleChanges", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		id := channel(t, api, "webhook", map[string]any{"url": "http://127.0.0.1:9/"})
		for _, method := range []string{http.MethodPatch, http.MethodDelete} {
			request := api.Request(t, method, "/notification-channels/"+id, []byte(`{"name":"y"}`))
			request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "sre"))
			request.Header.Set("If-Match", `"7"`)
			require.Equal(t, http.StatusPreconditionFailed, api.Do(t, request).Status)
		}
	})

	t.Run("SecretsCanBeRemoved", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		hooks := newReceiver(t, nil)
		id := channel(t, api, "webhook", map[string]any{"url": hooks.URL, "secret": secret})
		answer := api.As(t, "sre", http.MethodPatch, "/notification-channels/"+id, `{"config":{"secret":null}}`)
		require.Equal(t, map[string]any{"url": hooks.URL + "/****"}, answer.Field(t, "config"))
		api.As(t, "sre", http.MethodPost, "/notification-channels/"+id+"/test", "")
		require.Empty(t, hooks.requests()[0].header.Get("X-Versioner-Signature"))
		require.Empty(t, hooks.requests()[0].header.Get("webhook-signature"))
		require.NotEmpty(t, hooks.requests()[0].header.Get("webhook-id"))
	})
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	id := channel(t, api, "webhook", map[string]any{"url": "http://127.0.0.1:9/"})
	create := func(members string) testapi.Answer {
		return api.As(t, "sre", http.MethodPost, "/notification-preferences/", `{"channel_id":"`+id+`",`+members+`}`)
	}
	made := create(`"event_type":"version.failed","filters":{"products":[" to come ","to come"],"statuses":["FAILURE","error"]}`)
	require.Equal(t, http.StatusCreated, made.Status, "%s", made.Body)
	require.Equal(t, "build.failed", made.Field(t, "event_type"))
	require.Equal(t, map[string]any{"environments": []any{}, "products": []any{"to come"}, "statuses": []any{"failed"}}, made.Field(t, "filters"))

	path := "/notification-preferences/" + made.Field(t, "id").(string)
	changed := api.As(t, "sre", http.MethodPatch, path, `{"filters":{"products":[]}}`)
	require.Equal(t, map[string]any{"environments": []any{}, "products": []any{}, "statuses": []any{"failed"}}, changed.Field(t, "filters"))
	changed = api.As(t, "sre", http.MethodPatch, path, `{"event_type":"deployment.failed","filters":{"environments":["production"]}}`)
	require.Equal(t, "deployment.failed", changed.Field(t, "event_type"))
	require.Equal(t, string(changed.Body), string(api.As(t, "viewer", http.MethodGet, path, "").Body))
	require.Equal(t, changed.Header.Get("ETag"), api.As(t, "sre", http.MethodPatch, path, `{}`).Header.Get("ETag"), "nothing has changed")

	for body, want := range map[string]string{
		`"event_type":"deployment.exploded"`:                                    `["body","event_type"]`,
		`"event_type":"build.failed","filters":{"environments":["production"]}`: `builds have no environment`,
		`"event_type":"build.failed","filters":{"statuses":["exploded"]}`:       `["body","filters","statuses",0]`,
		`"event_type":"build.failed","filters":{"statuses":["completed"]}`:      `have the status failed alone`,
		`"event_type":"build.failed","filters":{"products":[" "]}`:              `["body","filters","products",0]`,
		`"event_type":"build.failed","filters":{"products":"checkout"}`:         `type_error.array`,
		`"event_type":"build.failed","filters":{"teams":["checkout"]}`:          `value_error.extra`,
		`"event_type":"build.failed","filters":{"products":[1]}`:                `type_error.string`,
		`"event_type":"build.failed","filters":null`:                            `["body","filters"]`,
	} {
		answer := create(body)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s: %s", body, answer.Body)
		require.Contains(t, string(answer.Body), want, body)
	}
	id = "01a208e8-398d-77cf-869d-63489d46d0e3"
	require.Equal(t, http.StatusNotFound, create(`"event_type":"build.failed"`).Status)
	require.Equal(t, http.StatusNoContent, api.As(t, "sre", http.MethodDelete, path, "").Status)
	require.Equal(t, http.StatusNotFound, api.As(t, "sre", http.MethodDelete, path, "").Status)
}

// TestReencryptAll adds a new key and removes the old one.
func TestReencryptAll(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	hooks := newReceiver(t, nil)
	id := channel(t, api, "webhook", map[string]any{"url": hooks.URL, "secret": secret})
	older, newer := bytes.Repeat([]byte("k"), keyring.KeySize), bytes.Repeat([]byte("n"), keyring.KeySize)
	with := func(keys ...[]byte) notify.Channels {
		ring, err := keyring.New(keys...)
		require.NoError(t, err)
		channels := api.Channels
		channels.Keys = ring
		return channels
	}
	withoutKey := with(newer)
	undecryptable, err := withoutKey.ReencryptAll(t.Context(), api.Pool.DB)
	require.NoError(t, err)
	require.Equal(t, 1, undecryptable, "nothing can be decrypted without the old key, and nothing is lost")

	both := with(newer, older)
	for range 2 {
		undecryptable, err = both.ReencryptAll(t.Context(), api.Pool.DB)
		require.NoError(t, err)
		require.Zero(t, undecryptable)
	}
	var account uuid.UUID
	api.Scan(t, "SELECT account_id FROM notification_channels", &account)
	tested, err := withoutKey.Test(t.Context(), api.Pool.DB, account, uuid.MustParse(id))
	require.NoError(t, err)
	require.Equal(t, "delivered", tested.Status)
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(hooks.requests()[0].body, hooks.requests()[0].header))

	// Without its key a channel is shown without its configuration, and can be given a new one.
	lost := with(older)
	shown, err := lost.Get(t.Context(), api.Pool.DB, account, uuid.MustParse(id))
	require.NoError(t, err)
	require.Empty(t, shown.Config)
	changed, err := lost.Update(t.Context(), api.Pool.DB, etag.Ref{AccountID: account, ID: uuid.MustParse(id)}, notify.ChannelPatch{Config: &notify.ConfigPatch{URL: &hooks.URL}})
	require.NoError(t, err)
	require.NotEmpty(t, changed.Config.URL)
}
