package notify_test

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// confirmAll confirms every recipient without their e-mails.
func confirmAll(t *testing.T, api *testapi.API) {
	t.Helper()
	api.Exec(t, "UPDATE notification_recipients SET confirmed_at = now()")
}

var confirmationLink = regexp.MustCompile(`https://versioner\.example\.com(/notification-recipients/confirm\?token=[\w-]+)`)

// confirmationPath returns path and query of the link in a confirmation e-mail.
func confirmationPath(t *testing.T, mail receivedEmail) string {
	t.Helper()
	link := confirmationLink.FindStringSubmatch(mail.text(t))
	require.NotNil(t, link, mail.text(t))
	require.Contains(t, mail.part(t, "text/html"), link[0])
	return link[1]
}

// browse sends a request as a browser does. The page is no operation of the specification.
func browse(t *testing.T, api *testapi.API, method, path string) testapi.Answer {
	t.Helper()
	request := api.Request(t, method, path, nil)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", api.URL)
		request.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, "text/html; charset=utf-8", response.Header.Get("Content-Type"))
	return testapi.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
}

// recipients returns whether each recipient of a channel is confirmed.
func recipients(t *testing.T, api *testapi.API, channel string) map[string]bool {
	t.Helper()
	var body struct {
		Recipients []struct {
			Address     string     `json:"address"`
			ConfirmedAt *time.Time `json:"confirmed_at"`
		} `json:"recipients"`
	}
	answer := api.As(t, "viewer", http.MethodGet, "/notification-channels/"+channel, "")
	require.NoError(t, json.Unmarshal(answer.Body, &body))
	confirmed := make(map[string]bool)
	for _, recipient := range body.Recipients {
		confirmed[recipient.Address] = recipient.ConfirmedAt != nil
	}
	return confirmed
}

func TestRecipients(t *testing.T) {
	t.Parallel()

	t.Run("ReceiveNothingBeforeTheyConfirm", func(t *testing.T) {
		t.Parallel()
		mails := newMailServer(t)
		api := testapi.New(t, testapi.WithWork(), testapi.WithMailer(mails.mailer(t)))
		id := channel(t, api, "email", map[string]any{"to": "ann@example.com, Bob@example.com"}, on("deployment.completed"))
		paths := make(map[string]string)
		for _, mail := range mails.wait(t, 2) {
			require.Len(t, mail.to, 1)
			require.Equal(t, "Confirm notifications of the account acme", mail.subject(t))
			require.NotContains(t, mail.text(t), "channel of the test")
			paths[mail.to[0]] = confirmationPath(t, mail)
		}
		require.Len(t, paths, 2)

		deploy(t, api, nil)
		cancelled := ended(t, api, id)
		require.Equal(t, "cancelled", cancelled["status"])
		require.Equal(t, "recipient_unconfirmed", cancelled["error_class"])
		require.Zero(t, cancelled["attempts"])
		test := api.As(t, "sre", http.MethodPost, "/notification-channels/"+id+"/test", "")
		require.Equal(t, false, test.Field(t, "delivered"))
		require.Equal(t, "recipient_unconfirmed", test.Field(t, "error_class"))
		require.Equal(t, "cancelled", history(t, api, id)[0]["status"])
		require.Nil(t, api.As(t, "viewer", http.MethodGet, "/notification-channels/"+id, "").Field(t, "failing_since"))
		require.Len(t, mails.wait(t, 2), 2)

		page := browse(t, api, http.MethodGet, paths["ann@example.com"])
		require.Equal(t, http.StatusOK, page.Status)
		require.Contains(t, string(page.Body), `<form method="post">`)
		require.Contains(t, page.Header.Get("Content-Security-Policy"), "default-src 'none'")
		require.Equal(t, map[string]bool{"ann@example.com": false, "Bob@example.com": false}, recipients(t, api, id), "following the link confirms")
		for range 2 { // the second time changes nothing
			confirmed := browse(t, api, http.MethodPost, paths["ann@example.com"])
			require.Equal(t, http.StatusOK, confirmed.Status, "%s", confirmed.Body)
			require.Contains(t, string(confirmed.Body), "is confirmed")
		}
		require.Equal(t, map[string]bool{"ann@example.com": true, "Bob@example.com": false}, recipients(t, api, id))
		audit := string(api.As(t, "admin", http.MethodGet, "/audit-log/", "").Body)
		require.Equal(t, 1, strings.Count(audit, "notification_recipient.confirm"), audit)
		require.NotContains(t, audit, "ann@")

		deploy(t, api, map[string]any{"version": "2"})
		require.Equal(t, []string{"ann@example.com"}, mails.wait(t, 3)[2].to)
		require.Eventually(t, func() bool { return history(t, api, id)[0]["status"] == "delivered" }, soon, 50*time.Millisecond)
		require.NotContains(t, api.Logs.String(), paths["ann@example.com"][len("/notification-recipients/confirm?token="):])
	})

	t.Run("ConfirmOnceForTheAccount", func(t *testing.T) {
		t.Parallel()
		mails := newMailServer(t)
		api := testapi.New(t, testapi.WithWork(), testapi.WithMailer(mails.mailer(t)))
		id := channel(t, api, "email", map[string]any{"to": "ann@example.com"})
		browse(t, api, http.MethodPost, confirmationPath(t, mails.wait(t, 1)[0]))
		changed := api.As(t, "sre", http.MethodPatch, "/notification-channels/"+id, `{"config":{"to":"ANN@example.com, bob@example.com"}}`)
		require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)
		other := channel(t, api, "email", map[string]any{"to": "ann@example.com"})
		require.Equal(t, []string{"bob@example.com"}, mails.wait(t, 2)[1].to)
		require.Equal(t, map[string]bool{"ANN@example.com": true, "bob@example.com": false}, recipients(t, api, id))
		require.Equal(t, map[string]bool{"ann@example.com": true}, recipients(t, api, other))
		require.Len(t, jobsOf[json.RawMessage](t, api, "send_confirmation_email"), 2)

		// Another account needs a confirmation of its own.
		token := api.Token(t, "other", "admin")
		request := api.Request(t, http.MethodPost, "/notification-channels/", []byte(`{"name":"c","channel_type":"email","config":{"to":"ann@example.com"}}`))
		request.Header.Set("Authorization", "Bearer "+token)
		require.Nil(t, api.Do(t, request).Field(t, "recipients").([]any)[0].(map[string]any)["confirmed_at"])
	})

	t.Run("RejectInvalidTokens", func(t *testing.T) {
		t.Parallel()
		mails := newMailServer(t)
		api := testapi.New(t, testapi.WithWork(), testapi.WithMailer(mails.mailer(t)))
		id := channel(t, api, "email", map[string]any{"to": "ann@example.com"})
		path := confirmationPath(t, mails.wait(t, 1)[0])
		base := path[:strings.Index(path, "=")+1]
		var config string
		api.Scan(t, "SELECT translate(encode(encrypted_config, 'base64'), E'+/=\\n', '-_') FROM notification_channels", &config)
		for _, invalid := range []string{base, base + "x", base + "%zz", path[:len(path)-4], path[:len(path)-6] + "AAAAAA", base + config} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				answer := browse(t, api, method, invalid)
				require.Equal(t, http.StatusNotFound, answer.Status, invalid)
				require.Contains(t, string(answer.Body), "not valid or has expired")
			}
		}
		api.Exec(t, "DELETE FROM notification_recipients")
		require.Equal(t, http.StatusNotFound, browse(t, api, http.MethodPost, path).Status)
		require.Equal(t, map[string]bool{"ann@example.com": false}, recipients(t, api, id))
	})
}

func TestConfirmationEmailsAreLimited(t *testing.T) {
	t.Parallel()

	t.Run("ToOneAnHourForAnAddress", func(t *testing.T) {
		t.Parallel()
		mails := newMailServer(t)
		api := testapi.New(t, testapi.WithWork(), testapi.WithMailer(mails.mailer(t)))
		id := channel(t, api, "email", map[string]any{"to": "ann@example.com"})
		mails.wait(t, 1)
		resend := func() testapi.Answer {
			return api.As(t, "sre", http.MethodPost, "/notification-channels/"+id+"/confirmations", "")
		}
		accepted := resend()
		require.Equal(t, http.StatusAccepted, accepted.Status, "%s", accepted.Body)
		require.Len(t, jobsOf[json.RawMessage](t, api, "send_confirmation_email"), 1)
		api.Exec(t, "UPDATE notification_recipients SET requested_at = requested_at - interval '61 minutes'")
		for range 2 {
			require.Equal(t, http.StatusAccepted, resend().Status)
		}
		mails.wait(t, 2)
		confirmAll(t, api)
		api.Exec(t, "UPDATE notification_recipients SET requested_at = requested_at - interval '61 minutes'")
		require.Equal(t, http.StatusAccepted, resend().Status, "there is nothing to send")
		require.Len(t, jobsOf[json.RawMessage](t, api, "send_confirmation_email"), 2)

		webhook := channel(t, api, "webhook", map[string]any{"url": nowhere})
		require.Equal(t, http.StatusAccepted, api.As(t, "sre", http.MethodPost, "/notification-channels/"+webhook+"/confirmations", "").Status)
	})

	t.Run("ToADailyNumberForAnAddressOfAllAccounts", func(t *testing.T) {
		t.Parallel()
		mails := newMailServer(t)
		api := testapi.New(t, testapi.WithWork(), testapi.WithMailer(mails.mailer(t)))
		accounts := []string{"one", "two", "three", "four", "five", "six", "seven"}
		for _, account := range accounts {
			request := api.Request(t, http.MethodPost, "/notification-channels/", []byte(`{"name":"c","channel_type":"email","config":{"to":"victim@example.com"}}`))
			request.Header.Set("Authorization", "Bearer "+api.Token(t, account, "admin"))
			require.Equal(t, http.StatusCreated, api.Do(t, request).Status)
		}
		require.Eventually(t, func() bool {
			var finished int
			api.Scan(t, "SELECT count(*) FROM river_job WHERE kind = 'send_confirmation_email' AND finalized_at IS NOT NULL", &finished)
			return finished == len(accounts)
		}, soon, 50*time.Millisecond)
		require.Len(t, mails.wait(t, 5), 5)
	})

	t.Run("ToADailyNumberOfAnAccount", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithMailer(newMailServer(t).mailer(t)))
		create := func(to string) testapi.Answer {
			return api.As(t, "sre", http.MethodPost, "/notification-channels/", `{"name":"c","channel_type":"email","config":{"to":"`+to+`"}}`)
		}
		require.Equal(t, http.StatusCreated, create("first@example.com").Status)
		api.Exec(t, "UPDATE notification_usage SET used = 199")
		rejected := create("second@example.com, third@example.com")
		require.Equal(t, http.StatusTooManyRequests, rejected.Status, "%s", rejected.Body)
		require.Equal(t, 1, api.Count(t, "notification_channels"))
		require.Equal(t, 1, api.Count(t, "notification_recipients"))
		require.Equal(t, http.StatusCreated, create("second@example.com").Status)
		require.Equal(t, http.StatusTooManyRequests, create("third@example.com").Status)
	})
}
