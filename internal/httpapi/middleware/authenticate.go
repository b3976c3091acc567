package middleware

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/logctx"
	"github.com/versioner-io/versioner/internal/telemetry"
)

var errForbidden = apperr.New(apperr.Forbidden, "You do not have permission to perform this action")

// Authenticate passes a request on when one of the operation's security schemes accepts its credential. A public operation
// ignores credentials.
func Authenticate(handler apigen.SecurityHandler, operation string, limiter RateLimiter, metrics *telemetry.Metrics) echo.MiddlewareFunc {
	schemes := apigen.OperationSchemes[operation]
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if len(schemes) == 0 {
				return next(c)
			}
			request := c.Request().WithContext(c.Request().Context())
			request.RemoteAddr = c.RealIP() // the client's behind trusted proxies
			ctx, authErr := authenticateAny(handler, request, schemes)
			metrics.Authentication(authn.SchemeOf(request), outcomeOf(authErr))
			if ctx == nil {
				return limiter.limitAuthFailures(c, authErr)
			}
			c.SetRequest(c.Request().WithContext(withCaller(ctx, c.RealIP())))
			if authErr == nil {
				return next(c)
			}
			if err := limiter.take(c); err != nil {
				return err
			}
			return authErr
		}
	}
}

// outcomeOf returns the outcome of an authentication for the metrics.
func outcomeOf(authErr error) string {
	switch {
	case authErr == nil:
		return "accepted"
	case errors.Is(authErr, errForbidden):
		return "forbidden"
	case apperr.Is(authErr, apperr.Unauthenticated):
		return "rejected"
	case apperr.Is(authErr, apperr.RateLimited):
		return "rate_limited"
	default:
		return "unavailable"
	}
}

// withCaller derives from the principal what the log, the database and the audit log need to know of the caller.
func withCaller(ctx context.Context, remoteIP string) context.Context {
	principal, info := authn.PrincipalFrom(ctx), logctx.From(ctx)
	info.Account = principal.AccountSlug
	if principal.CalendarFeedID != uuid.Nil {
		info.CalendarFeed = principal.CalendarFeedID.String()
		return ctx
	}
	if !principal.IsUser() {
		info.APIKey = principal.APIKeyID.String()
		return ctx
	}
	info.User = principal.UserID.String()
	return audit.WithActor(ctx, audit.Actor{
		Type: "user", ID: &principal.UserID, Name: principal.UserName, Credential: "session " + principal.SessionID,
		RemoteIP: remoteIP, RequestID: info.ID,
	})
}

// authenticateAny distinguishes an invalid credential (401) from a valid one of a scheme that the operation does not accept
// (403, with the principal's context), and both from one that cannot be verified now (503).
func authenticateAny(handler apigen.SecurityHandler, r *http.Request, schemes []string) (context.Context, error) {
	failures := make([]error, 0, len(schemes))
	for _, scheme := range schemes {
		ctx, err := apigen.Authenticate(r.Context(), handler, scheme, r)
		if err == nil {
			return ctx, nil
		}
		failures = append(failures, err)
	}
	for _, failure := range failures {
		if !apperr.Is(failure, apperr.Unauthenticated) {
			return nil, failure
		}
	}
	err := errors.Join(failures...)
	for _, scheme := range apigen.SecuritySchemes {
		if slices.Contains(schemes, scheme) {
			continue
		}
		ctx, other := apigen.Authenticate(r.Context(), handler, scheme, r)
		switch {
		case other == nil:
			return ctx, errForbidden
		case apperr.CodeOf(other) != apperr.Unauthenticated:
			return nil, other
		}
	}
	return nil, err
}
