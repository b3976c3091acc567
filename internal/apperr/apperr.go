// Package apperr defines the error type of the domain: a message that is safe for the caller, and a cause that is only
// logged. It is independent of HTTP; internal/httpapi maps a code to a status.
package apperr

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code is the kind of a failure.
type Code int

// The codes. An error that is not an *Error counts as Internal.
const (
	Internal Code = iota
	MalformedJSON
	Invalid
	Unauthenticated
	Forbidden
	NotFound
	UnsupportedMedia
	Conflict
	VersionConflict
	PreconditionFailed
	RateLimited
	Unavailable
	Blocked      // rules do not let a deployment start: others are in progress
	Frozen       // rules do not let a deployment start at this time
	Precondition // rules do not let a deployment start before users act
)

// Error is a failure with a message for the caller.
type Error struct {
	Code    Code
	Message string  // safe for the caller
	Fields  []Field // the problems of a request; with Invalid only
	// RetryAfter is the time until a retry may succeed; with RateLimited only.
	RetryAfter time.Duration
	// Rejection is what rules have found; with Blocked, Frozen and Precondition only.
	Rejection *Rejection
	cause     error // logged, never serialised
}

// These limits bound the answer to an invalid request and its log line to 64 KiB.
const (
	MaxFields  = 50  // problems of an error
	maxLocName = 100 // characters of a name in a location
	maxLocSize = 700 // bytes of a location as JSON
	ellipsis   = "…"
)

// Field is one problem of a request.
type Field struct {
	Loc  []any // location: "body", "query", "path" or "header", then names and positions
	Msg  string
	Type string // a stable machine word, such as value_error.missing
}

// New returns an error with a message that is safe for the caller.
func New(code Code, message string) *Error {
	return &Error{Code: code, Message: message}
}

// NewInvalid returns an error that lists the first MaxFields problems. Their locations are shortened, as the request
// determines their length.
func NewInvalid(fields ...Field) *Error {
	listed := make([]Field, 0, min(len(fields), MaxFields))
	for _, field := range fields[:cap(listed)] {
		listed = append(listed, Field{Loc: shortenLoc(field.Loc), Msg: field.Msg, Type: field.Type})
	}
	return &Error{Code: Invalid, Message: "the request is not valid", Fields: listed}
}

// shortenLoc truncates each name to maxLocName characters and the location to maxLocSize bytes of JSON.
func shortenLoc(loc []any) []any {
	short := make([]any, 0, len(loc))
	size := 0
	for _, step := range loc {
		if name, ok := step.(string); ok {
			step = shortenName(name)
		}
		encoded, err := json.Marshal(step)
		if size += len(encoded) + len(","); err != nil || size > maxLocSize {
			return append(short, ellipsis)
		}
		short = append(short, step)
	}
	return short
}

// shortenName also replaces invalid UTF-8, which a query may contain.
func shortenName(name string) string {
	characters, end := 0, 0
	for at := range name {
		if characters == maxLocName {
			return strings.ToValidUTF8(name[:end], "\uFFFD") + ellipsis
		}
		characters, end = characters+1, at
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

// NewRateLimited returns an error whose RetryAfter is rounded up to whole seconds.
func NewRateLimited(retryAfter time.Duration) *Error {
	retryAfter = max(time.Second, (retryAfter + time.Second - 1).Truncate(time.Second))
	message := fmt.Sprintf("Rate limit exceeded. Try again in %d seconds.", int(retryAfter.Seconds()))
	return &Error{Code: RateLimited, Message: message, RetryAfter: retryAfter}
}

// Rejection is why rules do not let a deployment start.
type Rejection struct {
	Reason  string     // a stable machine word, such as DEPLOYMENT_IN_PROGRESS
	RetryAt *time.Time // when a retry may succeed; nil: waiting does not suffice
	Details map[string]any
}

// NewRejection returns the error that answers a start that rules block.
func NewRejection(code Code, message string, rejection Rejection) *Error {
	return &Error{Code: code, Message: message, Rejection: &rejection}
}

// Wrap returns an error with a cause that is logged and hidden from the caller.
func Wrap(code Code, message string, cause error) *Error {
	return &Error{Code: code, Message: message, cause: cause}
}

// Error returns the text for the log, including problems and cause.
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

// Is reports whether the first *Error in err's chain has the code. It is false for nil.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }
