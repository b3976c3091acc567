package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/testapi"
)

// operation is one of the specification's, ready to be called.
type operation struct{ id, method, path string }

func operations(t *testing.T) []operation {
	t.Helper()
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	var all []operation
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			all = append(all, operation{id: op.OperationID, method: method, path: path})
		}
	}
	return all
}

// TestSecurityIsAsSpecified compares what was generated with the document, operation by operation.
func TestSecurityIsAsSpecified(t *testing.T) {
	t.Parallel()
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	seen := 0
	for _, item := range document.Paths.Map() {
		for _, op := range item.Operations() {
			require.NotNil(t, op.Security, "%s must say its own security", op.OperationID)
			var schemes []string
			for _, requirement := range *op.Security {
				require.Len(t, requirement, 1, "%s: schemes are alternatives", op.OperationID)
				for scheme := range requirement {
					require.Contains(t, document.Components.SecuritySchemes, scheme)
					schemes = append(schemes, scheme)
				}
			}
			require.ElementsMatch(t, schemes, apigen.OperationSchemes[op.OperationID], op.OperationID)
			seen++
		}
	}
	require.Len(t, apigen.OperationSchemes, seen)
	require.Empty(t, document.Security, "nothing is inherited")
}

func TestAccountsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	mine := api.PostEvent(t, deploymentEvents, deployment(nil))
	api.Key = api.NewKey(t, "other")
	theirs := api.PostEvent(t, deploymentEvents, deployment(nil))
	for _, name := range []string{"id", "event_id", "product_id", "version_id", "environment_id"} {
		require.NotEqual(t, mine.Field(t, name), theirs.Field(t, name), name)
	}
}

func TestRevocationIsSeenByAnotherServerWithinASecond(t *testing.T) {
	t.Parallel()
	one := testapi.New(t)
	two := testapi.New(t, testapi.WithDatabase(one.DSN))
	two.Key = one.Key
	for range 5 {
		two.PostEvent(t, deploymentEvents, deployment(nil))
	}
	require.NoError(t, one.Keys.RevokeByKeyID(t.Context(), testapi.Account, "k1"))
	require.Eventually(t, func() bool { return two.Post(t, deploymentEvents, "{}").Status == http.StatusUnauthorized }, time.Second, 5*time.Millisecond)
}
