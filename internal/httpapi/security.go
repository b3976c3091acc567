package httpapi

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/authn"
)

// authenticate lets a request pass when one of the operation's schemes accepts its credential. A public operation looks
// at none.
func authenticate(handler apigen.SecurityHandler, operation string) echo.MiddlewareFunc {
	schemes := apigen.OperationSchemes[operation]
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if len(schemes) > 0 {
				ctx, err := tryEach(c, handler, schemes)
				if err != nil {
					return err
				}
				requestFrom(ctx).account = authn.PrincipalFrom(ctx).AccountSlug
				c.SetRequest(c.Request().WithContext(ctx))
			}
			return next(c)
		}
	}
}

func tryEach(c echo.Context, handler apigen.SecurityHandler, schemes []string) (ctx context.Context, err error) {
	for _, scheme := range schemes {
		if ctx, err = apigen.Authenticate(c.Request().Context(), handler, scheme, c.Request()); err == nil {
			return ctx, nil
		}
	}
	return nil, err
}
