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

// Sender sends messages to receivers.
type Sender struct {
	HTTP      *egress.Client
	Mail      *Mailer // nil: no e-mail
	UserAgent string
}

// delivery is a message to a channel.
type delivery struct {
	id          uuid.UUID
	channelType string
	eventType   string
	payload     payload
	config      Config
	recipients  []string // of an e-mail: the confirmed addresses of the configuration
}

// The error codes of deliveries that are not sent.
const (
	errorRecipientUnconfirmed = "recipient_unconfirmed"
	errorChannelDisabled      = "channel_disabled"
)

// outcome is the result of an attempt.
type outcome struct {
	delivered      bool
	permanent      bool // a further attempt would fail, too
	receiverGone   bool // so would every other delivery
	responseStatus *int32
	errorClass     *string
	retryAfter     time.Duration
	latency        time.Duration
}

func (o outcome) latencyMS() *int32 {
	ms := int32(min(o.latency.Milliseconds(), attemptTimeout.Milliseconds())) //nolint:gosec // bounded by attemptTimeout
	return &ms
}

func failure(class string, permanent bool) outcome {
	return outcome{errorClass: &class, permanent: permanent}
}

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
		return failure("email_not_configured", false)
	}
	err := s.Mail.send(ctx, d.id, d.recipients, d.payload.email(d.eventType))
	if err == nil {
		return outcome{delivered: true}
	}
	code, permanent := isPermanentSMTPError(err)
	var sent outcome
	switch {
	case permanent:
		sent = failure("smtp_refused", true)
	case code > 0:
		sent = failure("smtp_temporary", false)
	default:
		sent = failure(egress.Classify(err), false)
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
		return failure("invalid_address", true)
	}
	response, err := s.HTTP.Do(request)
	if err != nil {
		_, forbidden := errors.AsType[*egress.ForbiddenError](err)
		return failure(egress.Classify(err), forbidden)
	}
	return classifyResponse(response.Status, response.Header, time.Now())
}

func (s *Sender) request(ctx context.Context, d delivery) (*http.Request, error) {
	address := d.config.URL
	write := d.payload.webhook
	if d.channelType == TypeSlack {
		address, write = d.config.WebhookURL, d.payload.slack
	}
	body, err := write(d.eventType)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err //nolint:wrapcheck // it may contain the address; the caller replaces it
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

// classifyResponse maps a response to an outcome: 2xx is delivered, 408, 429 and 5xx are retried, everything else is permanent.
func classifyResponse(status int, header http.Header, now time.Time) outcome {
	code := int32(status) //nolint:gosec // three digits
	sent := outcome{responseStatus: &code}
	class := ""
	switch {
	case status >= 200 && status < 300:
		sent.delivered = true
		return sent
	case status == http.StatusGone:
		class, sent.permanent, sent.receiverGone = "gone", true, true
	case status >= 500:
		class = "http_5xx"
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		class = "http_4xx"
	case status >= 400:
		class, sent.permanent = "http_4xx", true
	default: // redirects are not followed
		class, sent.permanent = "http_3xx", true
	}
	sent.errorClass = &class
	if !sent.permanent {
		sent.retryAfter = parseRetryAfter(header.Get("Retry-After"), now)
	}
	return sent
}
