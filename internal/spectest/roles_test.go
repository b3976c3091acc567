package spectest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/testapi"
)

// mayDo is contract.md §10, written down a second time: which roles have the permission that an operation asks for. One
// that is missing here fails the test.
func mayDo() map[string]string {
	return map[string]string{
		"view":               "admin release_manager product developer sre qa security compliance billing viewer",
		"products.write":     "admin release_manager",
		"environments.write": "admin release_manager sre",
		"releases.write":     "admin release_manager product developer",
		"integrations.write": "admin sre",
		"keys.view":          "admin developer",
		"keys.manage":        "admin",
		"roles.manage":       "admin",
		"audit.view":         "admin",
	}
}

// permissionOf is contract.md §10, too: what an operation asks for follows from its address. Reading is for everybody, but
// for keys and the audit log.
func permissionOf(t *testing.T, op operation) string {
	t.Helper()
	collection := strings.Split(op.path, "/")[1]
	reads := op.method == http.MethodGet
	switch {
	case collection == "audit-log":
		return "audit.view"
	case collection == "api-keys" && reads:
		return "keys.view"
	case reads:
		return "view"
	case strings.HasPrefix(collection, "notification-"):
		return "integrations.write"
	}
	writes := map[string]string{
		"products": "products.write", "environments": "environments.write", "releases": "releases.write", "api-keys": "keys.manage", "users": "roles.manage",
	}
	require.Contains(t, writes, collection, "%s: who may call it?", op.OperationID)
	return writes[collection]
}

// TestRoles has a person of every role try every operation for people.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tokens := make(map[string]string)
	for _, role := range httpapi.Roles() {
		tokens[role] = w.api.Token(t, testapi.Account, role)
	}
	require.ElementsMatch(t, strings.Fields(mayDo()["view"]), httpapi.Roles())
	var asked []string
	for _, op := range operations(w.document) {
		if op.scheme(t) != people {
			require.NotContains(t, op.Extensions, "x-permission", "%s: permissions are for people", op.OperationID)
			continue
		}
		permission := permissionOf(t, op)
		require.Equal(t, permission, op.Extensions["x-permission"], op.OperationID)
		asked = append(asked, permission)
		path := strings.NewReplacer("{id}", uuid.NewString(), "{version_id}", uuid.NewString()).Replace(op.path)
		require.NotContains(t, path, "{")
		for role, token := range tokens {
			request := w.api.Request(t, op.method, path, []byte(`{"`)) // whoever gets past the door is refused for what they say
			request.Header.Set("Authorization", "Bearer "+token)
			answer := w.api.Do(t, request)
			if slices.Contains(strings.Fields(mayDo()[permission]), role) {
				require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, answer.Status, "%s as %s", op.OperationID, role)
			} else {
				require.Equal(t, http.StatusForbidden, answer.Status, "%s as %s", op.OperationID, role)
				require.Equal(t, forbidden, string(answer.Body))
			}
		}
	}
	for permission := range mayDo() {
		require.Contains(t, asked, permission, "no operation asks for it")
	}
}
