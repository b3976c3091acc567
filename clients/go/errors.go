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

// Error is an answer that is no success.
type Error struct {
	Status int
	// Detail is a sentence for people.
	Detail string
	// Problems are all that is wrong with a request, for status 422.
	Problems []ValidationItem
	// Reason is a word for programs, where there is one: version_conflict for a version that exists with another commit,
	// deployment_blocked for a deployment that a policy forbids.
	Reason string
	// Code names the policy that forbids a deployment, such as NO_DEPLOY_WINDOW.
	Code string
	// RetryAfter is for how long the server asks to wait; zero where it does not say.
	RetryAfter time.Duration
	// RequestID is what to quote when asking for help.
	RequestID string
	// Body is the answer as it came.
	Body []byte
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%d: %s", e.Status, e.Detail)
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// ErrorOf returns the *[Error] that an answer tells, and nil for a success. A success that is not JSON, which a proxy may
// give, is an error too.
func ErrorOf(response *http.Response, body []byte) error {
	isSuccess := response.StatusCode >= http.StatusOK && response.StatusCode < http.StatusMultipleChoices
	isJSON := strings.Contains(response.Header.Get("Content-Type"), "json")
	if isSuccess && (isJSON || response.StatusCode == http.StatusNoContent) {
		return nil
	}
	found := &Error{
		Status: response.StatusCode, RequestID: response.Header.Get("X-Request-ID"), Body: body,
		Detail: cmp.Or(http.StatusText(response.StatusCode), "the server gave no reason"),
	}
	found.RetryAfter, _ = retryAfter(response.Header)
	if isSuccess {
		found.Detail = "the answer is not JSON"
		return found
	}
	var told struct {
		Detail      json.RawMessage
		Error, Code string
	}
	_ = json.Unmarshal(body, &told) // what is not told stays empty
	found.Reason, found.Code = told.Error, told.Code
	var sentence string
	var policy struct{ Message, Code, Error string }
	var problems []ValidationItem
	switch {
	case json.Unmarshal(told.Detail, &sentence) == nil && sentence != "":
		found.Detail = sentence
	case json.Unmarshal(told.Detail, &problems) == nil && len(problems) > 0:
		found.Problems, found.Detail = problems, sentenceOf(problems)
	case json.Unmarshal(told.Detail, &policy) == nil:
		found.Detail = cmp.Or(policy.Message, found.Detail)
		found.Code, found.Reason = cmp.Or(policy.Code, told.Code), cmp.Or(policy.Error, told.Error)
	}
	return found
}

// sentenceOf is a list of problems for people.
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

// retryAfter is for how long a server asks to wait, in seconds or until a date.
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
