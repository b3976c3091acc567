package middleware

import (
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
)

// Authorize rejects users whose role lacks the permission of the operation.
func Authorize(operation string) echo.MiddlewareFunc {
	permission := apigen.OperationPermission[operation]
	allowed := authz.Allowed(permission)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			// A role that was assigned or claimed before it was removed has the permissions of a viewer.
			isAllowed := permission == "" || permission == authz.View || slices.Contains(allowed, authn.PrincipalFrom(c.Request().Context()).Role)
			if !isAllowed {
				return errForbidden
			}
			return next(c)
		}
	}
}
