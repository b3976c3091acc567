package httpapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/httpapi/middleware"
)

// TestPanicOfAHandlerIs500 has one panic with half an answer written, and expects neither that nor a lost place.
func TestPanicOfAHandlerIs500(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)
	places := newOverload(1, 1)
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(logger)
	e.Use(middleware.Recover(logger))
	e.GET("/", func(c echo.Context) error {
		require.NoError(t, c.String(http.StatusOK, "half"))
		panic("a fault of ours")
	}, patient, places.middleware)
	for range 2 {
		person := authn.Principal{AccountID: uuid.New(), AccountSlug: "acme", UserID: uuid.New()}
		request := httptest.NewRequestWithContext(authn.WithPrincipal(t.Context(), person), http.MethodGet, "/", nil)
		recorder := httptest.NewRecorder()
		e.ServeHTTP(recorder, request)
		require.Equal(t, http.StatusInternalServerError, recorder.Code)
		require.JSONEq(t, `{"detail":"Internal server error"}`, recorder.Body.String())
	}
	require.Zero(t, places.running)
}
