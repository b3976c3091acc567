package notify_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/testapi"
)

func TestEmail(t *testing.T) {
	t.Parallel()
	mails := newMailServer(t)
	api := testapi.New(t, testapi.WithWork(), testapi.WithMailer(mails.mailer(t)))
	id := channel(t, api, "email", map[string]any{"to": "a@example.com, b@example.com"}, on("deployment.failed"))
	mails.wait(t, 2)
	confirmAll(t, api)
	deploy(t, api, map[string]any{
		"status": "failed", "product_name": "shop Bcc: c@example.com <script>alert(1)</script> & ünïcödé", "deployed_by_name": "Ada\r\nBcc: c@example.com",
		"deploy_url": "javascript:alert(1)", "extra_metadata": map[string]any{"error": "exit 1\n<b>&"},
	})
	mail := mails.wait(t, 3)[2]
	require.Equal(t, "versioner@example.com", mail.from)
	require.Equal(t, []string{"a@example.com", "b@example.com"}, mail.to)
	require.Equal(t, "Deploying shop Bcc: c@example.com <script>alert(1)</script> & ünïcödé 1.4.2 to production failed", mail.subject(t))
	header := mail.message(t).Header
	require.Empty(t, header.Get("Bcc"))
	require.Equal(t, "auto-generated", header.Get("Auto-Submitted"))
	delivered := ended(t, api, id)
	require.Equal(t, "delivered", delivered["status"])
	require.Equal(t, "<"+delivered["id"].(string)+"@example.com>", header.Get("Message-Id"))
	text := mail.text(t)
	require.Contains(t, text, "By: Ada Bcc: c@example.com\r\n")
	require.Contains(t, text, "exit 1")
	require.NotContains(t, text, "javascript:")
	html := mail.part(t, "text/html")
	require.NotContains(t, html, "<script")
	require.NotContains(t, html, "javascript:")
	require.Contains(t, html, "&lt;script&gt;alert(1)&lt;/script&gt; &amp; ünïcödé")
	require.Contains(t, html, "exit 1\r\n&lt;b&gt;&amp;")

	t.Run("PermanentRejectionsAreNotRetried", func(t *testing.T) {
		unknown := channel(t, api, "email", map[string]any{"to": "unknown@example.com"}, on("deployment.completed"))
		busy := channel(t, api, "email", map[string]any{"to": "busy@example.com"}, on("deployment.completed"))
		mails.wait(t, 5) // their confirmation e-mails
		confirmAll(t, api)
		first := true
		mails.mu.Lock()
		mails.rejectRecipient = func(to string) error {
			switch {
			case to == "unknown@example.com":
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
			case to == "busy@example.com" && first:
				first = false
				return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "try later"}
			}
			return nil
		}
		mails.mu.Unlock()
		deploy(t, api, nil)
		rejected := ended(t, api, unknown)
		require.Equal(t, "failed", rejected["status"])
		require.Equal(t, "smtp_refused", rejected["error_class"])
		require.EqualValues(t, 550, rejected["response_status"])
		accepted := ended(t, api, busy)
		require.Equal(t, "delivered", accepted["status"])
		require.EqualValues(t, 2, accepted["attempts"])
	})
}

func TestMailServerAway(t *testing.T) {
	t.Parallel()
	mailer, err := notify.NewMailer("smtp://127.0.0.1:1?tls=none", "versioner@example.com")
	require.NoError(t, err)
	api := testapi.New(t, testapi.WithMailer(mailer))
	id := channel(t, api, "email", map[string]any{"to": "a@example.com"})
	confirmAll(t, api)
	answer := api.As(t, "sre", http.MethodPost, "/notification-channels/"+id+"/test", "")
	require.Equal(t, false, answer.Field(t, "delivered"))
	require.Equal(t, "connection", answer.Field(t, "error_class"))
	require.Nil(t, answer.Field(t, "response_status"))
}

func TestNewMailer(t *testing.T) {
	t.Parallel()
	for server, from := range map[string]string{
		"smtp://user:pass@mail.example.com:587": "versioner@example.com",
		"smtps://user:p%40ss@mail.example.com":  "Versioner <versioner@example.com>",
		"smtp://mail.example.com:25?tls=none":   "versioner@example.com",
	} {
		_, err := notify.NewMailer(server, from)
		require.NoError(t, err, server)
	}
	for _, server := range []string{
		"", "mail.example.com:25", "http://mail.example.com", "smtp://", "smtp://hunter2@mail.example.com:99999", "smtps://u:hunter2@mail.example.com?tls=none",
		"smtp://u:hunter2@mail.example.com?tls=sometimes", "smtp://u:hunter2@mail.example.com:port",
	} {
		_, err := notify.NewMailer(server, "versioner@example.com")
		require.ErrorContains(t, err, "VERSIONER_SMTP_URL", server)
		require.NotContains(t, err.Error(), "hunter2", server)
	}
	for _, from := range []string{"", "address", "a@b\r\nBcc: c@d", strings.Repeat("a", 10)} {
		_, err := notify.NewMailer("smtp://mail.example.com", from)
		require.ErrorContains(t, err, "VERSIONER_MAIL_FROM", from)
	}
}
