package main

import (
	"io"
	"net"
	"net/mail"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// mailbox is a mail server that counts messages.
type mailbox struct {
	url string

	mu       sync.Mutex
	messages map[string]int // by recipient and subject
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	m := &mailbox{messages: make(map[string]int)}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{box: m}, nil }))
	server.Domain = "localhost"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	m.url = "smtp://" + listener.Addr().String() + "?tls=none"
	return m
}

// count returns the number of messages with a recipient and a subject.
func (m *mailbox) count(recipient, subject string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.messages[recipient+" "+subject]
}

type mailSession struct {
	box *mailbox
	to  string
}

func (s *mailSession) Reset()                               { s.to = "" }
func (s *mailSession) Logout() error                        { return nil }
func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	message, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.messages[s.to+" "+message.Header.Get("Subject")]++
	return nil
}
