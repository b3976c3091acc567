package middleware

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/admission"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
)

// TestBodyBudgetCountsWhatHasArrived holds a body half sent: only its received bytes count, against its account.
func TestBodyBudgetCountsWhatHasArrived(t *testing.T) {
	t.Parallel()
	handler := BodyBudget(admission.NewByteBudget(64), nil)(func(c echo.Context) error {
		_, err := io.ReadAll(c.Request().Body)
		return err
	})
	post := func(account uuid.UUID, body io.Reader, declared int64) error {
		ctx := authn.WithPrincipal(t.Context(), authn.Principal{AccountID: account})
		request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", body)
		request.ContentLength = declared
		return handler(echo.New().NewContext(request, httptest.NewRecorder()))
	}
	slow, other := uuid.New(), uuid.New()
	for _, declared := range []int64{-1, 1 << 20} { // chunked, or of a known length
		body, client := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- post(slow, body, declared) }()
		_, err := io.WriteString(client, strings.Repeat("x", 20))
		require.NoError(t, err)
		_, err = io.WriteString(client, "x") // it is read after the bytes before have been counted
		require.NoError(t, err)

		require.Equal(t, apperr.Unavailable, apperr.CodeOf(post(slow, strings.NewReader(strings.Repeat("x", 13)), 13)))
		require.NoError(t, post(slow, strings.NewReader("small"), 5))
		require.NoError(t, post(other, strings.NewReader(strings.Repeat("x", 32)), 32))

		require.NoError(t, client.Close())
		require.NoError(t, <-ended)
		require.NoError(t, post(slow, strings.NewReader(strings.Repeat("x", 32)), 32), "all is given back")
	}
}
