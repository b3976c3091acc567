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

// Retries says how often and how patiently requests are sent again; what is zero is as it says there.
type Retries struct {
	// Limit is how many times more, at most: 3. Below zero it is none.
	Limit int
	// FirstWait is before the first retry, half of it left to chance; each next one waits twice as long: half a second.
	FirstWait time.Duration
	// LongestWait is the longest of all. A server that asks for more is not waited for, its answer stands: a minute.
	LongestWait time.Duration
}

// WithRetries sends requests again where that is safe: after 429, 503 and a connection that was never made always; after a
// lost answer and 500, 502, 504 only where doing it twice is as good as once, which a change with If-Match is not. Every POST
// carries an Idempotency-Key, the same on all its tries; a DELETE that finds nothing, after its answer was lost, is done.
//
// It sends with the client that [WithHTTPClient] gave before it, else with one that gives a try 30 seconds and follows no
// redirect. The context of a call limits all of it, waiting included.
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

// Do sends a request until its outcome stands.
func (r retrying) Do(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPost && request.Header.Get("Idempotency-Key") == "" {
		request.Header.Set("Idempotency-Key", rand.Text())
	}
	isRenewed, isDone := false, false
	for retry := 0; ; retry++ {
		outcome, err := r.try(request)
		if !isRenewed && err == nil && outcome.StatusCode == http.StatusUnauthorized {
			isRenewed = true
			refused := request.Header.Get("Authorization")
			if err := prepare(request); err != nil {
				return nil, err
			}
			if fresh := request.Header.Get("Authorization"); fresh != "" && fresh != refused {
				outcome, err = r.try(request)
			}
		}
		if isDone && request.Method == http.MethodDelete && err == nil && outcome.StatusCode == http.StatusNotFound {
			return nothing(outcome), nil
		}
		wait, again := r.waitBefore(retry, request, outcome, err)
		if !again {
			return outcome, err
		}
		isDone = isDone || mayBeDone(outcome, err)
		if err := sleep(request.Context(), wait); err != nil {
			return nil, err
		}
		if err := prepare(request); err != nil {
			return nil, err
		}
	}
}

// prepare makes a request ready to be sent again, with a credential that may be another one.
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

// try sends the request, and reads the answer to its end: one that breaks off is lost.
func (r retrying) try(request *http.Request) (*http.Response, error) {
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

// waitBefore tells for how long to wait before a retry, which counts from 0, and whether there shall be one.
func (r retrying) waitBefore(retry int, request *http.Request, outcome *http.Response, err error) (time.Duration, bool) {
	isRefused := err == nil && (outcome.StatusCode == http.StatusTooManyRequests || outcome.StatusCode == http.StatusServiceUnavailable)
	mayRepeat := isRefused || neverMade(err) || mayBeDone(outcome, err) && repeatable(request)
	canRepeat := request.Body == nil || request.Body == http.NoBody || request.GetBody != nil
	if retry >= r.retries.Limit || !mayRepeat || !canRepeat || request.Context().Err() != nil {
		return 0, false
	}
	chance := 0.5 + mathrand.Float64()/2 //nolint:gosec // it spreads load and guards nothing
	if err == nil {
		if asked, ok := retryAfter(outcome.Header); ok {
			return asked + time.Duration(chance*float64(r.retries.FirstWait)), asked <= r.retries.LongestWait
		}
	}
	backoff := min(r.retries.FirstWait<<min(retry, 20), r.retries.LongestWait)
	return time.Duration(chance * float64(backoff)), true
}

// mayBeDone tells whether a request may have been carried out although it failed.
func mayBeDone(outcome *http.Response, err error) bool {
	if err != nil {
		_, isBroken := errors.AsType[*net.OpError](err)
		silent, ok := errors.AsType[net.Error](err)
		isLost := isBroken || ok && silent.Timeout() || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		return isLost && !neverMade(err)
	}
	switch outcome.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// neverMade tells whether there was no connection to send the request on.
func neverMade(err error) bool {
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && failed.Op == "dial"
}

// repeatable tells whether doing the request twice is as good as once. A change with If-Match is not: were it done and the
// answer lost, it would meet its own revision the second time.
func repeatable(request *http.Request) bool {
	return request.Method != http.MethodPatch || request.Header.Get("If-Match") == ""
}

// nothing is the answer to a DELETE that an earlier try has carried out.
func nothing(response *http.Response) *http.Response {
	response.StatusCode, response.Status = http.StatusNoContent, "204 No Content"
	response.Body, response.ContentLength = http.NoBody, 0
	response.Header.Del("Content-Type")
	return response
}

// sleep waits, unless the caller gives up.
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
