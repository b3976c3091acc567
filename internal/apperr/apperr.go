// Package apperr is the domain's error: what went wrong in words that are safe to show, and the cause, which is not. It
// knows nothing of HTTP; internal/httpapi turns a code into a status.
package apperr

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// Bounds of what an invalid request is answered and logged with: 64 KiB in all.
const (
	MaxFields  = 50  // problems that an error lists
	maxLocName = 100 // characters of a name in the place of a problem
	maxLocSize = 700 // bytes of a place as JSON
	ellipsis   = "…"
)

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

// NewInvalid returns an error that lists a problem of each field: the first MaxFields, with their places shortened, because
// the request determines both the number and the length.
func NewInvalid(fields ...Field) *Error {
	listed := make([]Field, 0, min(len(fields), MaxFields))
	for _, field := range fields[:cap(listed)] {
		listed = append(listed, Field{Loc: shortenLoc(field.Loc), Msg: field.Msg, Type: field.Type})
	}
	return &Error{Code: Invalid, Message: "the request is not valid", Fields: listed}
}

// shortenLoc cuts each name to maxLocName characters, and the place after maxLocSize bytes of JSON.
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

// shortenName also makes the name UTF-8: a query may have other bytes.
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
