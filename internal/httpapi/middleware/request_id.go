package middleware

import (
	"regexp"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"github.com/versioner-io/versioner/internal/logctx"
)

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// AssignRequestID gives the request its id, which is the client's own if it can be quoted safely, and opens its log fields.
func AssignRequestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !requestIDPattern.MatchString(id) {
			id = uuid.NewString()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		ctx := logctx.With(c.Request().Context(), &logctx.Request{ID: id})
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

// TagOperation adds the operation to the request's log fields and names its span.
func TagOperation(operation string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			logctx.From(c.Request().Context()).Operation = operation
			trace.SpanFromContext(c.Request().Context()).SetName(operation)
			return next(c)
		}
	}
}
