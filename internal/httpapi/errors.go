package httpapi

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// retryAfterSeconds is the Retry-After of a 503.
const retryAfterSeconds = 2

// errorResponse is the body of an error. The detail is a string, or the list of problems of a 422.
type errorResponse struct {
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

// rejection is the body of the answer to a start that rules block: clients read one level of it or the other.
type rejection struct {
	Detail rejectionDetail `json:"detail"`
	rejectionDetail
}

type rejectionDetail struct {
	Error      string         `json:"error"`
	Message    string         `json:"message"`
	Code       string         `json:"code"`
	RetryAfter *string        `json:"retry_after,omitempty"` // absent if waiting does not suffice
	Details    map[string]any `json:"details"`
}

// newRejection returns the body. The time of a retry is rounded up to whole seconds: a retry at that time is not too early.
func newRejection(failure *apperr.Error) rejection {
	detail := rejectionDetail{Error: "deployment_blocked", Message: failure.Message, Code: failure.Rejection.Reason, Details: failure.Rejection.Details}
	if at := failure.Rejection.RetryAt; at != nil {
		text := at.Add(time.Second - time.Nanosecond).Truncate(time.Second).UTC().Format(time.RFC3339)
		detail.RetryAfter = &text
	}
	return rejection{Detail: detail, rejectionDetail: detail}
}

// httpStatus maps a code to a status. It is the only place that does.
func httpStatus(code apperr.Code) int {
	switch code {
	case apperr.MalformedJSON:
		return http.StatusBadRequest
	case apperr.Unauthenticated:
		return http.StatusUnauthorized
	case apperr.Forbidden:
		return http.StatusForbidden
	case apperr.NotFound:
		return http.StatusNotFound
	case apperr.Conflict, apperr.VersionConflict:
		return http.StatusConflict
	case apperr.Blocked:
		return http.StatusConflict
	case apperr.Frozen:
		return http.StatusLocked
	case apperr.Precondition:
		return http.StatusPreconditionRequired
	case apperr.PreconditionFailed:
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

// errorBody returns the status and the body for an error. Only messages of an *apperr.Error and fixed texts are returned.
func errorBody(err error) (int, any) {
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch routing.Code {
		case http.StatusNotFound:
			return routing.Code, errorResponse{Detail: "Not found"}
		case http.StatusMethodNotAllowed:
			return routing.Code, errorResponse{Detail: "Method not allowed"}
		}
	}
	failure, ok := errors.AsType[*apperr.Error](err)
	if !ok || failure.Code == apperr.Internal {
		return http.StatusInternalServerError, errorResponse{Detail: "Internal server error"}
	}
	status := httpStatus(failure.Code)
	switch failure.Code {
	case apperr.Invalid:
		items := make([]validationItem, len(failure.Fields))
		for i, field := range failure.Fields {
			items[i] = validationItem(field)
		}
		return status, errorResponse{Detail: items}
	case apperr.VersionConflict:
		return status, versionConflict{
			Detail:  failure.Message,
			Message: failure.Message + ". A version is built from one commit: use a new version for a new commit.",
			Error:   "version_conflict",
		}
	case apperr.Blocked, apperr.Frozen, apperr.Precondition:
		return status, newRejection(failure)
	case apperr.Unavailable:
		return status, errorResponse{Detail: "Service temporarily unavailable"}
	default:
		return status, errorResponse{Detail: failure.Message}
	}
}

// errorHandler answers failed requests and logs each failure once, with its cause.
func errorHandler(logger *slog.Logger, metrics *telemetry.Metrics) echo.HTTPErrorHandler {
	return func(cause error, c echo.Context) {
		ctx := c.Request().Context()
		if stored, ok := errors.AsType[replay](cause); ok {
			if err := stored.send(c); err != nil {
				logger.DebugContext(ctx, "stored response not sent", "error", err)
			}
			return
		}
		status, body := errorBody(cause)
		level := slog.LevelInfo
		if status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		if postgres.IsUnstorable(cause) {
			metrics.ValidatorGap()
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
