package httpapi

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
)

// retryAfterSeconds is what a caller is told to wait when the service is not available.
const retryAfterSeconds = 2

// problem is every error's body but for the list of a 422: contract.md §11.
type problem struct {
	Detail any `json:"detail"`
}

type validationItem struct {
	Loc  []any  `json:"loc"`
	Msg  string `json:"msg"`
	Type string `json:"type"`
}

type versionConflict struct {
	Detail  string `json:"detail"`
	Message string `json:"message"`
	Error   string `json:"error"`
}

// statusOf is the one place where a failure becomes a status.
func statusOf(code apperr.Code) int {
	switch code {
	case apperr.Malformed:
		return http.StatusBadRequest
	case apperr.Unauthenticated:
		return http.StatusUnauthorized
	case apperr.Forbidden:
		return http.StatusForbidden
	case apperr.NotFound:
		return http.StatusNotFound
	case apperr.Conflict, apperr.VersionConflict:
		return http.StatusConflict
	case apperr.Stale:
		return http.StatusPreconditionFailed
	case apperr.UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case apperr.Invalid:
		return http.StatusUnprocessableEntity
	case apperr.RateLimited:
		return http.StatusTooManyRequests
	case apperr.Unavailable:
		return http.StatusServiceUnavailable
	case apperr.Internal:
		return http.StatusInternalServerError
	default:
		return http.StatusInternalServerError
	}
}

// render turns any error into a status and a body. Only what an *apperr.Error offers, or the router says, gets out.
func render(err error) (int, any) {
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch routing.Code {
		case http.StatusNotFound:
			return routing.Code, problem{Detail: "Not found"}
		case http.StatusMethodNotAllowed:
			return routing.Code, problem{Detail: "Method not allowed"}
		}
	}
	failure, ok := errors.AsType[*apperr.Error](err)
	if !ok || failure.Code == apperr.Internal {
		return http.StatusInternalServerError, problem{Detail: "Internal server error"}
	}
	status := statusOf(failure.Code)
	switch failure.Code {
	case apperr.Invalid:
		items := make([]validationItem, len(failure.Fields))
		for i, field := range failure.Fields {
			items[i] = validationItem(field)
		}
		return status, problem{Detail: items}
	case apperr.VersionConflict:
		return status, versionConflict{
			Detail:  failure.Message,
			Message: failure.Message + ". A version is built from one commit: use a new version for a new commit.",
			Error:   "version_conflict",
		}
	case apperr.Unavailable:
		return status, problem{Detail: "Service temporarily unavailable"}
	default:
		return status, problem{Detail: failure.Message}
	}
}

// errorHandler answers every failed request, and logs why: once, with the cause that the caller is not told.
func errorHandler(logger *slog.Logger) echo.HTTPErrorHandler {
	return func(cause error, c echo.Context) {
		ctx := c.Request().Context()
		status, body := render(cause)
		level := slog.LevelInfo
		if status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		logger.LogAttrs(ctx, level, "request failed", slog.Int("status", status), slog.Any("error", cause))
		if c.Response().Committed {
			return
		}
		header := c.Response().Header()
		switch status {
		case http.StatusUnauthorized:
			header.Set("WWW-Authenticate", "Bearer")
		case http.StatusTooManyRequests:
			if limited, ok := errors.AsType[*apperr.Error](cause); ok {
				header.Set("Retry-After", strconv.Itoa(int(limited.RetryAfter.Seconds())))
			}
		case http.StatusServiceUnavailable:
			header.Set("Retry-After", strconv.Itoa(retryAfterSeconds))
		}
		encoded, err := json.Marshal(body)
		if err != nil {
			logger.ErrorContext(ctx, "error body not encoded", "error", err)
		}
		if err := c.JSONBlob(status, encoded); err != nil {
			logger.DebugContext(ctx, "error body not sent", "error", err)
		}
	}
}
