package middleware

import (
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
)

// Authorize rejects users whose role lacks the permission of the operation, and API keys that lack its scope.
func Authorize(operation string) echo.MiddlewareFunc {
	permission, scope := apigen.OperationPermission[operation], apigen.OperationScope[operation]
	allowed := authz.Allowed(permission)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			principal := authn.PrincipalFrom(c.Request().Context())
			isKey := principal.APIKeyID != uuid.UUID{}
			// A role that was assigned or claimed before it was removed has the permissions of a viewer.
			isAllowed := permission == "" || permission == authz.View || slices.Contains(allowed, principal.Role)
			if isKey {
				isAllowed = principal.HasScope(scope)
			}
			if !isAllowed {
				return errForbidden
			}
			return next(c)
		}
	}
}
