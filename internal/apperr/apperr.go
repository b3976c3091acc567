// Package apperr is the domain's error: what went wrong in words that are safe to show, and the cause, which is not. It
// knows nothing of HTTP; internal/httpapi turns a code into a status.
package apperr

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of failure it is.
type Code int

// The codes. Anything that is not an *Error counts as Internal.
const (
	Internal Code = iota
	Malformed
	Invalid
	Unauthenticated
	Forbidden
	NotFound
	UnsupportedMedia
	Conflict
	VersionConflict
	Stale
	RateLimited
	Unavailable
)

// Error is a failure that a caller is told about.
type Error struct {
	Code    Code
	Message string  // safe for the caller
	Fields  []Field // what is wrong with each field; with Invalid only
	// RetryAfter is when to come again; with RateLimited only.
	RetryAfter time.Duration
	cause      error // logged, never serialised
}

// Field is one problem of a request, as contract.md §11 shapes it.
type Field struct {
	Loc  []any // where: "body", "query" or "path", then names and positions
	Msg  string
	Type string // a stable machine word, such as value_error.missing
}

// New returns an error of the code with a message that is safe to show.
func New(code Code, message string) *Error {
	return &Error{Code: code, Message: message}
}

// NewInvalid returns an error that lists what is wrong with each field.
func NewInvalid(fields ...Field) *Error {
	return &Error{Code: Invalid, Message: "the request is not valid", Fields: fields}
}

// NewRateLimited returns an error that says when to come again, in whole seconds.
func NewRateLimited(retryAfter time.Duration) *Error {
	retryAfter = max(time.Second, (retryAfter + time.Second - 1).Truncate(time.Second))
	message := fmt.Sprintf("Rate limit exceeded. Try again in %d seconds.", int(retryAfter.Seconds()))
	return &Error{Code: RateLimited, Message: message, RetryAfter: retryAfter}
}

// Wrap returns an error of the code that hides its cause from the caller.
func Wrap(code Code, message string, cause error) *Error {
	return &Error{Code: code, Message: message, cause: cause}
}

// Error tells all there is to tell; it is for the log.
func (e *Error) Error() string {
	text := e.Message
	if len(e.Fields) > 0 {
		text = fmt.Sprintf("%s: %v", text, e.Fields)
	}
	if e.cause != nil {
		text = fmt.Sprintf("%s: %v", text, e.cause)
	}
	return text
}

// Unwrap returns the hidden cause.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf returns the code of the first *Error in err's chain, Internal when there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
