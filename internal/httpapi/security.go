package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/postgres"
)

// authenticate lets a request pass when one of the operation's schemes accepts its credential. A public operation looks
// at none.
func authenticate(handler apigen.SecurityHandler, operation string, limits limits) echo.MiddlewareFunc {
	schemes := apigen.OperationSchemes[operation]
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if len(schemes) == 0 {
				return next(c)
			}
			ctx, refusal := tryEach(handler, c.Request(), schemes)
			if ctx == nil {
				return limits.refusal(c, refusal)
			}
			principal := authn.PrincipalFrom(ctx)
			known := requestFrom(ctx)
			known.account = principal.AccountSlug
			ctx = postgres.WithTenant(ctx, principal.AccountID)
			if principal.IsPerson() {
				known.user = principal.UserID.String()
				ctx = audit.WithActor(ctx, audit.Actor{
					Type: "user", ID: &principal.UserID, Name: principal.UserName, Credential: "session " + principal.SessionID,
					RemoteIP: c.RealIP(), RequestID: known.id,
				})
			} else {
				known.apiKey = principal.APIKeyID.String()
			}
			c.SetRequest(c.Request().WithContext(ctx))
			if refusal != nil {
				return limits.middleware(func(echo.Context) error { return refusal })(c)
			}
			return next(c)
		}
	}
}

// tryEach tells a credential that is not valid (401) from a valid one of another kind (403), whose principal it returns
// with the refusal; and both from one of which nothing can be found out (503).
func tryEach(handler apigen.SecurityHandler, r *http.Request, schemes []string) (context.Context, error) {
	failures := make([]error, 0, len(schemes))
	for _, scheme := range schemes {
		ctx, err := apigen.Authenticate(r.Context(), handler, scheme, r)
		if err == nil {
			return ctx, nil
		}
		failures = append(failures, err)
	}
	err := errors.Join(failures...)
	if apperr.CodeOf(err) != apperr.Unauthenticated {
		return nil, err
	}
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
