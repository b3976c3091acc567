package notify

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/mail"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"
	gomail "github.com/wneessen/go-mail"
)

const (
	maxRecipients = 20
	maxSubject    = 200
)

// Mailer sends e-mail through one SMTP server.
type Mailer struct {
	client *gomail.Client
	from   mail.Address
}

// NewMailer parses smtp://user:password@host:port (STARTTLS, or with ?tls=none no encryption) or smtps:// (TLS from the
// first byte), and the address that mail comes from. Errors never contain the password.
func NewMailer(server, from string) (*Mailer, error) {
	sender, err := mail.ParseAddress(from)
	if err != nil || hasControl(from) {
		return nil, fmt.Errorf("VERSIONER_MAIL_FROM %q: use an address such as versioner@example.com", from)
	}
	address, err := url.Parse(server)
	if err != nil || address.Hostname() == "" || address.Scheme != "smtp" && address.Scheme != "smtps" {
		return nil, errors.New("VERSIONER_SMTP_URL is not valid: use smtp://user:password@host:587 or smtps://user:password@host:465")
	}
	options := []gomail.Option{gomail.WithTimeout(attemptTimeout), gomail.WithoutNoop()}
	port := 587
	switch encryption := address.Query().Get("tls"); {
	case address.Scheme == "smtps" && encryption == "":
		port = 465
		options = append(options, gomail.WithSSL())
	case address.Scheme == "smtp" && encryption == "":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case address.Scheme == "smtp" && encryption == "none":
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		return nil, fmt.Errorf("VERSIONER_SMTP_URL: tls=%s is unknown: omit it, or use tls=none with smtp:// to send without encryption", encryption)
	}
	if given := address.Port(); given != "" {
		if port, err = strconv.Atoi(given); err != nil || port < 1 || port > 65535 {
			return nil, fmt.Errorf("VERSIONER_SMTP_URL: %q is not a port", given)
		}
	}
	options = append(options, gomail.WithPort(port))
	if user := address.User; user != nil {
		password, _ := user.Password()
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(user.Username()), gomail.WithPassword(password))
	}
	client, err := gomail.NewClient(address.Hostname(), options...)
	if err != nil {
		return nil, fmt.Errorf("VERSIONER_SMTP_URL: %w", err)
	}
	return &Mailer{client: client, from: *sender}, nil
}

//go:embed email.html
var emailHTML string

//nolint:gochecknoglobals // parsed once
var emailTemplate = template.Must(template.New("email").Parse(emailHTML))

// email is a message in text and in HTML.
type email struct {
	Subject   string
	Text      string
	Fields    []field
	Error     string
	Link      string
	LinkLabel string
	Footer    string
}

func (p payload) email(eventType string) email {
	return email{
		Subject: truncate(p.summary(eventType), maxSubject), Fields: p.fields(), Error: p.Error, Link: p.runURL(), LinkLabel: p.urlLabel(),
		Footer: "Versioner sends this because a notification channel of your account has your address.",
	}
}

func (e email) text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n", e.Subject)
	if e.Text != "" {
		fmt.Fprintf(&text, "%s\n\n", e.Text)
	}
	for _, one := range e.Fields {
		fmt.Fprintf(&text, "%s: %s\n", one.Name, one.Value)
	}
	for _, part := range []string{e.Error, e.Link, "-- \n" + e.Footer} {
		if part != "" {
			fmt.Fprintf(&text, "\n%s\n", part)
		}
	}
	return text.String()
}

func (e email) html() (string, error) {
	var page bytes.Buffer
	if err := emailTemplate.Execute(&page, e); err != nil {
		return "", fmt.Errorf("render an e-mail: %w", err)
	}
	return page.String(), nil
}

// send passes the message to the SMTP server. Attempts of one delivery have the same Message-ID, so that mailboxes recognise
// duplicates.
func (m *Mailer) send(ctx context.Context, deliveryID uuid.UUID, to []string, message email) error {
	html, err := message.html()
	if err != nil {
		return err
	}
	msg := gomail.NewMsg()
	msg.FromMailAddress(&m.from)
	for _, address := range to {
		msg.AddToMailAddress(&mail.Address{Address: address})
	}
	_, domain, _ := strings.Cut(m.from.Address, "@")
	msg.SetMessageIDWithValue(deliveryID.String() + "@" + domain)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetDate()
	msg.Subject(message.Subject)
	msg.SetBodyString(gomail.TypeTextPlain, message.text())
	msg.AddAlternativeString(gomail.TypeTextHTML, html)

	session, err := m.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to the mail server: %w", err)
	}
	err = m.client.SendWithSMTPClient(session, msg)
	_ = m.client.CloseWithSMTPClient(session) // the message is accepted already
	if err != nil {
		return fmt.Errorf("send an e-mail: %w", err)
	}
	return nil
}

// isPermanentSMTPError reports whether the server rejects the message permanently.
func isPermanentSMTPError(err error) (code int, permanent bool) {
	var problem *gomail.SendError
	if !errors.As(err, &problem) {
		return 0, false
	}
	switch problem.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		return problem.ErrorCode(), problem.ErrorCode() >= 500
	default:
		return problem.ErrorCode(), false
	}
}

// parseRecipients parses e-mail addresses separated by commas, without display names.
func parseRecipients(text string) ([]string, error) {
	if hasControl(text) {
		return nil, errors.New("line breaks and control characters are not allowed")
	}
	var addresses []string
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		parsed, err := mail.ParseAddress(one)
		if err != nil || parsed.Address != one {
			return nil, fmt.Errorf("%q is not an e-mail address such as team@example.com", truncate(one, 80))
		}
		addresses = append(addresses, one)
	}
	if len(addresses) > maxRecipients {
		return nil, fmt.Errorf("at most %d addresses", maxRecipients)
	}
	return addresses, nil
}

func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 })
}
