package versioner

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"time"
)

// Retries limits the retries of a request. A field that is zero has its default.
type Retries struct {
	// Limit is the maximum number of retries; the default is 3. A negative number disables retries.
	Limit int
	// FirstWait is the backoff before the first retry; it doubles with each retry, and half of it is random. The default is
	// half a second.
	FirstWait time.Duration
	// LongestWait is the longest backoff; the default is a minute. An answer whose Retry-After is longer is not retried.
	LongestWait time.Duration
}

// WithRetries repeats requests where that is safe: always after 429, 503 and a failure to connect; after a lost answer and 500,
// 502, 504 only if the request is idempotent, which a change with If-Match is not. Every POST carries an Idempotency-Key, the
// same on all attempts; a DELETE that gets 404 after an attempt whose answer was lost has succeeded.
//
// It sends with the client of a preceding [WithHTTPClient], else with one that limits an attempt to 30 seconds and follows no
// redirect. The context of a call limits the whole call, waits included.
func WithRetries(retries Retries) ClientOption {
	retries.Limit = cmp.Or(retries.Limit, 3)
	retries.FirstWait = cmp.Or(retries.FirstWait, 500*time.Millisecond)
	retries.LongestWait = cmp.Or(retries.LongestWait, time.Minute)
	return func(client *Client) error {
		if client.Client == nil {
			client.Client = &http.Client{
				Timeout:       30 * time.Second,
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
		}
		client.Client = retrying{next: client.Client, retries: retries}
		return nil
	}
}

type retrying struct {
	next    HttpRequestDoer
	retries Retries
}

// Do sends a request until its outcome is final.
func (r retrying) Do(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPost && request.Header.Get("Idempotency-Key") == "" {
		request.Header.Set("Idempotency-Key", rand.Text())
	}
	isRenewed, mayBeDeleted := false, false
	for retry := 0; ; retry++ {
		outcome, err := r.attempt(request)
		if !isRenewed && err == nil && outcome.StatusCode == http.StatusUnauthorized {
			isRenewed = true
			refused := request.Header.Get("Authorization")
			if err := prepare(request); err != nil {
				return nil, err
			}
			if fresh := request.Header.Get("Authorization"); fresh != "" && fresh != refused {
				outcome, err = r.attempt(request)
			}
		}
		if mayBeDeleted && request.Method == http.MethodDelete && err == nil && outcome.StatusCode == http.StatusNotFound {
			return noContent(outcome), nil
		}
		wait, again := r.waitBefore(retry, request, outcome, err)
		if !again {
			return outcome, err
		}
		mayBeDeleted = mayBeDeleted || mayBeDone(outcome, err)
		if err := sleep(request.Context(), wait); err != nil {
			return nil, err
		}
		if err := prepare(request); err != nil {
			return nil, err
		}
	}
}

// prepare rewinds the body of a request and sets its credential, which may have changed.
func prepare(request *http.Request) (err error) {
	if request.GetBody != nil {
		if request.Body, err = request.GetBody(); err != nil {
			return fmt.Errorf("send again: %w", err)
		}
	}
	if authorize, ok := request.Context().Value(authorizerKey{}).(authorizer); ok {
		return authorize(request)
	}
	return nil
}

// attempt sends the request, and reads the whole answer: a truncated one counts as lost.
func (r retrying) attempt(request *http.Request) (*http.Response, error) {
	response, err := r.next.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// waitBefore returns the wait before a retry, which counts from 0, and reports whether to retry at all.
func (r retrying) waitBefore(retry int, request *http.Request, outcome *http.Response, err error) (time.Duration, bool) {
	isRefused := err == nil && (outcome.StatusCode == http.StatusTooManyRequests || outcome.StatusCode == http.StatusServiceUnavailable)
	mayRepeat := isRefused || isDialError(err) || mayBeDone(outcome, err) && isIdempotent(request)
	canRepeat := request.Body == nil || request.Body == http.NoBody || request.GetBody != nil
	if retry >= r.retries.Limit || !mayRepeat || !canRepeat || request.Context().Err() != nil {
		return 0, false
	}
	jitter := 0.5 + mathrand.Float64()/2 //nolint:gosec // it spreads load, it is no secret
	if err == nil {
		if requested, ok := retryAfter(outcome.Header); ok {
			return requested + time.Duration(jitter*float64(r.retries.FirstWait)), requested <= r.retries.LongestWait
		}
	}
	backoff := min(r.retries.FirstWait<<min(retry, 20), r.retries.LongestWait)
	return time.Duration(jitter * float64(backoff)), true
}

// mayBeDone reports whether the server may have executed a request although it failed.
func mayBeDone(outcome *http.Response, err error) bool {
	if err != nil {
		_, isBroken := errors.AsType[*net.OpError](err)
		netErr, ok := errors.AsType[net.Error](err)
		isLost := isBroken || ok && netErr.Timeout() || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		return isLost && !isDialError(err)
	}
	switch outcome.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// isDialError reports whether the connection failed before the request was sent.
func isDialError(err error) bool {
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && failed.Op == "dial"
}

// isIdempotent reports whether executing the request twice has the effect of executing it once. A change with If-Match is not
// idempotent: if its answer is lost, the second attempt fails on the revision that the first one made.
func isIdempotent(request *http.Request) bool {
	return request.Method != http.MethodPatch && request.Method != http.MethodPut || request.Header.Get("If-Match") == ""
}

// noContent returns the answer to a DELETE that an earlier attempt has executed.
func noContent(response *http.Response) *http.Response {
	response.StatusCode, response.Status = http.StatusNoContent, "204 No Content"
	response.Body, response.ContentLength = http.NoBody, 0
	response.Header.Del("Content-Type")
	return response
}

// sleep waits until the time has passed or ctx has ended.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx) //nolint:wrapcheck // the caller's own reason
	case <-timer.C:
		return nil
	}
}
