package testapi

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/telemetry"
)

// Metric returns the value of a series, such as `versioner_auth_total{outcome="accepted",scheme="JWTAuth"}`; 0 if there is none.
func (a *API) Metric(t *testing.T, series string) float64 {
	t.Helper()
	for line := range strings.Lines(a.MetricsText(t)) {
		if text, found := strings.CutPrefix(line, series+" "); found {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			require.NoError(t, err)
			return value
		}
	}
	return 0
}

// MetricsText returns all metrics in the format of Prometheus.
func (a *API) MetricsText(t *testing.T) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	telemetry.OperatorHandler(a.Metrics, false).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	require.Equal(t, http.StatusOK, recorder.Code)
	return recorder.Body.String()
}
