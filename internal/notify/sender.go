package notify

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/egress"
)

// Sender hands messages to receivers.
type Sender struct {
	HTTP      *egress.Client
	Mail      *Mailer // nil: no e-mail
	UserAgent string
}

// delivery is a message on its way to a channel.
type delivery struct {
	id          uuid.UUID
	channelType string
	eventType   string
	notice      notice
	config      Config
}

// outcome is what came of an attempt.
type outcome struct {
	delivered      bool
	final          bool // no use in trying again
	gone           bool // and never again
	responseStatus *int32
	errorClass     *string
	retryAfter     time.Duration
	latency        time.Duration
}

func (o outcome) latencyMS() *int32 {
	ms := int32(min(o.latency.Milliseconds(), attemptTimeout.Milliseconds())) //nolint:gosec // bounded by the line itself
	return &ms
}

func failed(class string, final bool) outcome { return outcome{errorClass: &class, final: final} }

// send makes one attempt.
func (s *Sender) send(ctx context.Context, d delivery) (sent outcome) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	begin := time.Now()
	defer func() { sent.latency = time.Since(begin) }()
	if d.channelType == TypeEmail {
		return s.sendEmail(ctx, d)
	}
	return s.sendHTTP(ctx, d)
}

func (s *Sender) sendEmail(ctx context.Context, d delivery) outcome {
	if s.Mail == nil {
		return failed("email_not_configured", false)
	}
	to, err := parseRecipients(d.config.To)
	if err != nil {
		return failed("invalid_address", true)
	}
	err = s.Mail.send(ctx, d.id, to, d.notice.email(d.eventType))
	if err == nil {
		return outcome{delivered: true}
	}
	code, refused := isRefusal(err)
	var sent outcome
	switch {
	case refused:
		sent = failed("smtp_refused", true)
	case code > 0:
		sent = failed("smtp_temporary", false)
	default:
		sent = failed(egress.Classify(err), false)
	}
	if code > 0 {
		status := int32(code) //nolint:gosec // three digits
		sent.responseStatus = &status
	}
	return sent
}

func (s *Sender) sendHTTP(ctx context.Context, d delivery) outcome {
	request, err := s.request(ctx, d)
	if err != nil {
		return failed("invalid_address", true)
	}
	response, err := s.HTTP.Do(request)
	if err != nil {
		_, forbidden := errors.AsType[*egress.ForbiddenError](err)
		return failed(egress.Classify(err), forbidden)
	}
	return judge(response.Status, response.Header, time.Now())
}

func (s *Sender) request(ctx context.Context, d delivery) (*http.Request, error) {
	address := d.config.URL
	write := d.notice.webhook
	if d.channelType == TypeSlack {
		address, write = d.config.WebhookURL, d.notice.slack
	}
	body, err := write(d.eventType)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err //nolint:wrapcheck // it may hold the address; the caller says what it means
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", s.UserAgent)
	if d.channelType == TypeSlack {
		return request, nil
	}
	request.Header.Set(headerEvent, d.eventType)
	now := time.Now()
	return request, sign(request.Header, d.id, now, body, d.config.secrets(now))
}

// judge tells what an answer means: contract.md §9, with 408 and 429 tried again.
func judge(status int, header http.Header, now time.Time) outcome {
	code := int32(status) //nolint:gosec // three digits
	sent := outcome{responseStatus: &code}
	class := ""
	switch {
	case status >= 200 && status < 300:
		sent.delivered = true
		return sent
	case status == http.StatusGone:
		class, sent.final, sent.gone = "gone", true, true
	case status >= 500:
		class = "http_5xx"
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		class = "http_4xx"
	case status >= 400:
		class, sent.final = "http_4xx", true
	default: // a redirect would lead who knows where, so none is followed
		class, sent.final = "http_3xx", true
	}
	sent.errorClass = &class
	if !sent.final {
		sent.retryAfter = parseRetryAfter(header.Get("Retry-After"), now)
	}
	return sent
}
