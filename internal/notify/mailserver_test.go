package notify_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/notify"
)

// receivedEmail is an e-mail that the server accepted.
type receivedEmail struct {
	from string
	to   []string
	raw  []byte
}

func (l receivedEmail) message(t *testing.T) *mail.Message {
	t.Helper()
	message, err := mail.ReadMessage(bytes.NewReader(l.raw))
	require.NoError(t, err)
	return message
}

func (l receivedEmail) subject(t *testing.T) string {
	t.Helper()
	subject, err := new(mime.WordDecoder).DecodeHeader(l.message(t).Header.Get("Subject"))
	require.NoError(t, err)
	return subject
}

// part returns the decoded part with that type.
func (l receivedEmail) part(t *testing.T, contentType string) string {
	t.Helper()
	message := l.message(t)
	_, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	require.NoError(t, err)
	parts := multipart.NewReader(message.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		require.NoError(t, err, "no part %s", contentType)
		if strings.HasPrefix(part.Header.Get("Content-Type"), contentType) {
			require.Equal(t, "quoted-printable", part.Header.Get("Content-Transfer-Encoding"))
			text, err := io.ReadAll(quotedprintable.NewReader(part))
			require.NoError(t, err)
			return string(text)
		}
	}
}

func (l receivedEmail) text(t *testing.T) string { t.Helper(); return l.part(t, "text/plain") }

// mailServer is an SMTP server that records messages.
type mailServer struct {
	addr string

	mu              sync.Mutex
	messages        []receivedEmail
	rejectRecipient func(to string) error
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	m := &mailServer{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{server: m}, nil }))
	server.Domain = "localhost"
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m.addr = listener.Addr().String()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return m
}

func (m *mailServer) mailer(t *testing.T) *notify.Mailer {
	t.Helper()
	mailer, err := notify.NewMailer("smtp://"+m.addr+"?tls=none", "Versioner <versioner@example.com>")
	require.NoError(t, err)
	return mailer
}

func (m *mailServer) wait(t *testing.T, count int) []receivedEmail {
	t.Helper()
	var got []receivedEmail
	require.Eventually(t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		got = append([]receivedEmail(nil), m.messages...)
		return len(got) >= count
	}, soon, 20*time.Millisecond, "%d messages", count)
	return got
}

type session struct {
	server        *mailServer
	receivedEmail receivedEmail
}

func (s *session) Reset()        { s.receivedEmail = receivedEmail{} }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.receivedEmail.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	rejectRecipient := s.server.rejectRecipient
	s.server.mu.Unlock()
	if rejectRecipient != nil {
		if err := rejectRecipient(to); err != nil {
			return err
		}
	}
	s.receivedEmail.to = append(s.receivedEmail.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.receivedEmail.raw = raw
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.messages = append(s.server.messages, s.receivedEmail)
	return nil
}
