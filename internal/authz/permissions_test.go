package authz_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/authz"
)

func TestHighest(t *testing.T) {
	t.Parallel()
	require.Equal(t, "admin", authz.Highest([]string{"viewer", "qa", "admin"}))
	require.Equal(t, "sre", authz.Highest([]string{"emperor", "sre"}))
	require.Equal(t, authz.Viewer, authz.Highest([]string{"Admin", ""}))
	require.Equal(t, authz.Viewer, authz.Highest(nil))
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"view"}, authz.Permissions("viewer"))
	require.Equal(t, []string{"breakglass.write", "calendar_feeds.write", "environments.write", "integrations.write", "requests.approve", "requests.comment", "rules.write", "templates.write", "versions.approve", "view"}, authz.Permissions("sre"))
	require.Empty(t, authz.Permissions("emperor"))
	require.Equal(t, authz.Roles(), authz.Allowed(authz.View))
	require.Empty(t, authz.Allowed(""))
}

func TestVerifyCoverage(t *testing.T) {
	t.Parallel()
	operations := func(changes map[string]string) map[string]string {
		all := map[string]string{"createDeploymentEvent": "", "getProduct": "view"}
		for _, permission := range authz.Permissions("admin") {
			all["with "+permission] = permission
		}
		maps.Copy(all, changes)
		return all
	}
	isForUsers := func(operation string) bool { return operation != "createDeploymentEvent" }
	require.NoError(t, authz.VerifyCoverage(operations(nil), isForUsers))
	require.ErrorContains(t, authz.VerifyCoverage(operations(map[string]string{"getProduct": "emperor"}), isForUsers), `"emperor"`)
	require.ErrorContains(t, authz.VerifyCoverage(operations(map[string]string{"getProduct": ""}), isForUsers), "getProduct")
	require.ErrorContains(t, authz.VerifyCoverage(operations(map[string]string{"createDeploymentEvent": "view"}), isForUsers), "createDeploymentEvent")
	require.ErrorContains(t, authz.VerifyCoverage(operations(map[string]string{"with keys.view": "view"}), isForUsers), "keys.view")
}
