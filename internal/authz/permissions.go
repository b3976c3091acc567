// Package authz holds the roles of users and their permissions.
package authz

import (
	"fmt"
	"slices"
)

// View is the permission of every role.
const View = "view"

// The roles that the code refers to.
const (
	Admin  = "admin"
	Viewer = "viewer" // of a user without a known role
)

// Roles returns every role, the one with the most permissions first.
func Roles() []string {
	return []string{Admin, "release_manager", "developer", "sre", "product", "qa", "security", "compliance", "billing", Viewer}
}

// rolesByPermission returns the roles that have a permission beside View.
func rolesByPermission() map[string][]string {
	return map[string][]string{
		"products.write":          {Admin, "release_manager"},
		"environments.write":      {Admin, "release_manager", "sre"},
		"releases.write":          {Admin, "release_manager", "product", "developer"},
		"integrations.write":      {Admin, "sre"},
		"rules.write":             {Admin, "release_manager", "sre"},
		"governance.manage":       {Admin},
		"templates.write":         {Admin, "release_manager", "sre"},
		"breakglass.write":        {Admin, "release_manager", "sre"},
		"versions.approve":        {Admin, "release_manager", "product", "qa", "sre", "security", "compliance"},
		"calendar_feeds.write":    {Admin, "release_manager", "product", "developer", "sre", "qa", "security", "compliance"},
		"keys.view":               {Admin, "developer"},
		"keys.manage":             {Admin},
		"roles.manage":            {Admin},
		"audit.view":              {Admin},
		"requests.write":          {Admin, "release_manager", "product", "developer"},
		"requests.comment":        {Admin, "release_manager", "product", "developer", "sre", "qa", "security", "compliance"},
		"requests.approve":        {Admin, "release_manager", "product", "developer", "sre", "qa", "security", "compliance"},
		"request_templates.write": {Admin, "release_manager"},
	}
}

// IsRole reports whether the role exists.
func IsRole(name string) bool { return slices.Contains(Roles(), name) }

// Highest returns the claimed role with the most permissions. Without a known role it is Viewer.
func Highest(claimed []string) string {
	for _, role := range Roles() {
		if slices.Contains(claimed, role) {
			return role
		}
	}
	return Viewer
}

// Allowed returns the roles that have the permission.
func Allowed(permission string) []string {
	if permission == View {
		return Roles()
	}
	return rolesByPermission()[permission]
}

// Permissions returns the permissions of a role, sorted.
func Permissions(role string) []string {
	var permissions []string
	for permission, roles := range rolesByPermission() {
		if slices.Contains(roles, role) {
			permissions = append(permissions, permission)
		}
	}
	if IsRole(role) {
		permissions = append(permissions, View)
	}
	slices.Sort(permissions)
	return permissions
}

// VerifyCoverage compares the permissions with those of the operations, both ways. operations has the permission of each operation;
// isForUsers reports whether an operation accepts session tokens.
func VerifyCoverage(operations map[string]string, isForUsers func(operation string) bool) error {
	unused := rolesByPermission()
	for operation, permission := range operations {
		if isForUsers(operation) != (len(Allowed(permission)) > 0) {
			return fmt.Errorf("operation %s has the permission %q, which does not match its security scheme or the roles", operation, permission)
		}
		delete(unused, permission)
	}
	if len(unused) > 0 {
		return fmt.Errorf("no operation has these permissions: %v", unused)
	}
	return nil
}
