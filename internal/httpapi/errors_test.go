package httpapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/buildinfo"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// TestValidatorGap counts what the database rejects although validation has passed it, and nothing else.
func TestValidatorGap(t *testing.T) {
	t.Parallel()
	metrics := telemetry.NewMetrics(buildinfo.Read())
	handle := errorHandler(slog.New(slog.DiscardHandler), metrics)
	for _, failure := range []error{
		postgres.Classify(&pgconn.PgError{Code: "22P05"}), postgres.Classify(&pgconn.PgError{Code: "57P01"}),
		apperr.NewInvalid(apperr.Field{Loc: []any{"body"}, Msg: "must not be blank", Type: "value_error"}),
	} {
		handle(failure, echo.New().NewContext(httptest.NewRequest(http.MethodPost, "/", http.NoBody), httptest.NewRecorder()))
	}
	scraped := httptest.NewRecorder()
	telemetry.OperatorHandler(metrics, false).ServeHTTP(scraped, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	require.Contains(t, scraped.Body.String(), "\nversioner_validator_gap_total 1\n")
}
