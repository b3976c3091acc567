package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/testapi"
)

func TestBodyOverBudgetIsUnavailable(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithLimits(httpapi.Limits{BodyBytes: 16 << 10}))
	for range 2 { // what was rejected is given back
		rejected := api.Post(t, deploymentEvents, sent("extra_metadata", `{"x":"`+strings.Repeat("x", 20<<10)+`"}`))
		require.Equal(t, http.StatusServiceUnavailable, rejected.Status)
		require.JSONEq(t, `{"detail":"Service temporarily unavailable"}`, string(rejected.Body))
		require.NotEmpty(t, rejected.Header.Get("Retry-After"))
		require.Equal(t, http.StatusOK, api.Post(t, deploymentEvents, sent("version", `"small"`)).Status)
	}
	require.Equal(t, 1, api.Count(t, "deployments"))
}
