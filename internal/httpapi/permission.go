package httpapi

import (
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
)

// everybody may view.
const viewPermission = "view"

// rolesOf is the table of contract.md §10: who has which capability.
//
//nolint:gochecknoglobals // a constant table
var rolesOf = map[string][]apigen.Role{
	"products.write":     {apigen.RoleAdmin, apigen.RoleReleaseManager},
	"environments.write": {apigen.RoleAdmin, apigen.RoleReleaseManager, apigen.RoleSre},
	"releases.write":     {apigen.RoleAdmin, apigen.RoleReleaseManager, apigen.RoleProduct, apigen.RoleDeveloper},
	"integrations.write": {apigen.RoleAdmin, apigen.RoleSre},
	"keys.view":          {apigen.RoleAdmin, apigen.RoleDeveloper},
	"keys.manage":        {apigen.RoleAdmin},
	"roles.manage":       {apigen.RoleAdmin},
	"audit.view":         {apigen.RoleAdmin},
}

// authorize lets people pass who have the capability that the operation asks for.
func authorize(operation string) echo.MiddlewareFunc {
	permission := apigen.OperationPermission[operation]
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			role := apigen.Role(authn.PrincipalFrom(c.Request().Context()).Role)
			if permission != "" && permission != viewPermission && !slices.Contains(rolesOf[permission], role) {
				return errForbidden
			}
			return next(c)
		}
	}
}

var errForbidden = apperr.New(apperr.Forbidden, "You do not have permission to perform this action")

// checkPermissions compares the table with the specification, both ways: every operation for people asks for a capability
// of the table, and every capability is asked for.
func checkPermissions(document *openapi3.T) error {
	unused := make(map[string]bool)
	for permission := range rolesOf {
		unused[permission] = true
	}
	for _, path := range document.Paths.Map() {
		for _, operation := range path.Operations() {
			id := operation.OperationID
			permission := apigen.OperationPermission[id]
			_, known := rolesOf[permission]
			if people := slices.Contains(apigen.OperationSchemes[id], "JWTAuth"); people != (known || permission == viewPermission) {
				return fmt.Errorf("operation %s asks for the permission %q, which does not fit its security scheme or the table of roles", id, permission)
			}
			delete(unused, permission)
		}
	}
	if len(unused) > 0 {
		return fmt.Errorf("no operation asks for these permissions: %v", unused)
	}
	return nil
}

// Roles lists every role that there is.
func Roles() []string {
	roles := []apigen.Role{
		apigen.RoleAdmin, apigen.RoleReleaseManager, apigen.RoleProduct, apigen.RoleDeveloper, apigen.RoleSre, apigen.RoleQa,
		apigen.RoleSecurity, apigen.RoleCompliance, apigen.RoleBilling, apigen.RoleViewer,
	}
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return names
}

// IsRole tells whether there is such a role.
func IsRole(name string) bool { return apigen.Role(name).Valid() }
