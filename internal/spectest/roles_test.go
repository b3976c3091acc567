package spectest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/testapi"
)

// rolesByPermission repeats the specified roles of each permission, independently of the implementation.
func rolesByPermission() map[string]string {
	return map[string]string{
		"view":                    "admin release_manager product developer sre qa security compliance billing viewer",
		"products.write":          "admin release_manager",
		"environments.write":      "admin release_manager sre",
		"releases.write":          "admin release_manager product developer",
		"integrations.write":      "admin sre",
		"rules.write":             "admin release_manager sre",
		"governance.manage":       "admin",
		"templates.write":         "admin release_manager sre",
		"breakglass.write":        "admin release_manager sre",
		"versions.approve":        "admin release_manager product qa sre security compliance",
		"calendar_feeds.write":    "admin release_manager product developer sre qa security compliance",
		"keys.view":               "admin developer",
		"keys.manage":             "admin",
		"roles.manage":            "admin",
		"audit.view":              "admin",
		"requests.write":          "admin release_manager product developer",
		"requests.comment":        "admin release_manager product developer sre qa security compliance",
		"requests.approve":        "admin release_manager product developer sre qa security compliance",
		"request_templates.write": "admin release_manager",
	}
}

// permissionOf derives the specified permission of an operation from its path and method.
func permissionOf(t *testing.T, op operation) string {
	t.Helper()
	collection := strings.Split(op.path, "/")[1]
	reads := op.method == http.MethodGet
	switch {
	case collection == "audit-log":
		return "audit.view"
	case collection == "auth": // every user manages their own sessions
		return "view"
	case collection == "api-keys" && reads:
		return "keys.view"
	case reads, op.OperationID == "renderDeploymentTemplate":
		return "view"
	case collection == "deployment-requests" && strings.Contains(op.path, "/{slot_id}/"):
		return "requests.approve"
	case collection == "deployment-requests" && (strings.HasSuffix(op.path, "/comments") || strings.Contains(op.path, "/{step_id}/")):
		return "requests.comment"
	case strings.HasPrefix(collection, "notification-"):
		return "integrations.write"
	}
	writes := map[string]string{
		"products": "products.write", "environments": "environments.write", "releases": "releases.write", "api-keys": "keys.manage", "users": "roles.manage",
		"deployment-rules": "rules.write", "governance-settings": "governance.manage", "versions": "versions.approve", "preflight": "view", "break-glass-grants": "breakglass.write",
		"calendar-feeds": "calendar_feeds.write", "variables": "templates.write", "deployment-templates": "templates.write",
		"deployment-requests": "requests.write", "deployment-request-templates": "request_templates.write",
	}
	require.Contains(t, writes, collection, "%s: no permission specified", op.OperationID)
	return writes[collection]
}

// TestRoles requests each operation with a user of each role.
func TestRoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tokens := make(map[string]string)
	for _, role := range authz.Roles() {
		tokens[role] = f.api.Token(t, testapi.Account, role)
	}
	require.ElementsMatch(t, strings.Fields(rolesByPermission()["view"]), authz.Roles())
	var found []string
	for _, op := range operations(f.document) {
		if op.scheme(t) != jwtScheme {
			require.NotContains(t, op.Extensions, "x-permission", "%s: permissions belong to users", op.OperationID)
			continue
		}
		permission := permissionOf(t, op)
		require.Equal(t, permission, op.Extensions["x-permission"], op.OperationID)
		found = append(found, permission)
		path := withUnknownIDs(op.path)
		require.NotContains(t, path, "{")
		for role, token := range tokens {
			request := f.api.Request(t, op.method, path, []byte(`{"`)) // rejected after authorization
			request.Header.Set("Authorization", "Bearer "+token)
			answer := f.api.Do(t, request)
			if slices.Contains(strings.Fields(rolesByPermission()[permission]), role) {
				require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, answer.Status, "%s as %s", op.OperationID, role)
			} else {
				require.Equal(t, http.StatusForbidden, answer.Status, "%s as %s", op.OperationID, role)
				require.Equal(t, forbidden, string(answer.Body))
			}
		}
	}
	for permission := range rolesByPermission() {
		require.Contains(t, found, permission, "no operation requires it")
	}
}
