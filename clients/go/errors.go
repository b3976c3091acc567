package versioner

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// APIError is an answer that is no success: errors.AsType[*APIError] finds it in the error of a call.
type APIError struct {
	Status int
	// Detail is the message, for humans.
	Detail string
	// Problems are the problems of a request, for status 422.
	Problems []ValidationItem
	// Reason is a machine-readable reason, where there is one: version_conflict for a version that exists with another commit,
	// deployment_blocked for a deployment that a policy forbids.
	Reason string
	// Code names the policy that forbids a deployment, such as NO_DEPLOY_WINDOW.
	Code string
	// RetryAfter is the delay that the server requests; zero without one.
	RetryAfter time.Duration
	// RequestID identifies the request in the server's log.
	RequestID string
	// Body is the answer as received.
	Body []byte
}

func (e *APIError) Error() string {
	text := fmt.Sprintf("%d: %s", e.Status, e.Detail)
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// ErrorOf returns the *[APIError] of an answer, and nil for a success. A success that is not JSON, which a proxy may give, is an
// error too. Clients of [New] return it already.
func ErrorOf(response *http.Response, body []byte) error {
	isSuccess := response.StatusCode >= http.StatusOK && response.StatusCode < http.StatusMultipleChoices
	isJSON := strings.Contains(response.Header.Get("Content-Type"), "json")
	if isSuccess && (isJSON || response.StatusCode == http.StatusNoContent) {
		return nil
	}
	found := &APIError{
		Status: response.StatusCode, RequestID: response.Header.Get("X-Request-ID"), Body: body,
		Detail: cmp.Or(http.StatusText(response.StatusCode), "the server gave no reason"),
	}
	found.RetryAfter, _ = retryAfter(response.Header)
	if isSuccess {
		found.Detail = "the answer is not JSON"
		return found
	}
	var problem struct {
		Detail      json.RawMessage
		Error, Code string
	}
	_ = json.Unmarshal(body, &problem) // absent members stay empty
	found.Reason, found.Code = problem.Error, problem.Code
	var sentence string
	var policy struct{ Message, Code, Error string }
	var problems []ValidationItem
	switch {
	case json.Unmarshal(problem.Detail, &sentence) == nil && sentence != "":
		found.Detail = sentence
	case json.Unmarshal(problem.Detail, &problems) == nil && len(problems) > 0:
		found.Problems, found.Detail = problems, sentenceOf(problems)
	case json.Unmarshal(problem.Detail, &policy) == nil:
		found.Detail = cmp.Or(policy.Message, found.Detail)
		found.Code, found.Reason = cmp.Or(policy.Code, problem.Code), cmp.Or(policy.Error, problem.Error)
	}
	return found
}

// sentenceOf formats a list of problems for humans.
func sentenceOf(problems []ValidationItem) string {
	all := make([]string, len(problems))
	for i, problem := range problems {
		where := make([]string, len(problem.Loc))
		for j, part := range problem.Loc {
			where[j] = fmt.Sprint(part)
		}
		all[i] = strings.Join(where, ".") + ": " + problem.Msg
	}
	return strings.Join(all, "; ")
}

// retryAfter returns the delay that a Retry-After header requests, in seconds or until a date.
func retryAfter(header http.Header) (time.Duration, bool) {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(date)), true
	}
	return 0, false
}
