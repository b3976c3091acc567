package middleware

import (
	"errors"
	"io"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/admission"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// BodyBudget charges the bytes of a body to the budget as they arrive, and keeps them until the request ends: what a client
// declares but does not send costs nothing. A request that exceeds the budget is rejected as Unavailable.
func BodyBudget(budget *admission.ByteBudget, metrics *telemetry.Metrics) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			request := c.Request()
			body := &chargedBody{ReadCloser: request.Body, budget: budget, metrics: metrics, account: authn.PrincipalFrom(request.Context()).AccountID}
			defer func() { budget.Release(body.account, body.charged) }()
			request.Body = body
			return next(c)
		}
	}
}

type chargedBody struct {
	io.ReadCloser

	budget  *admission.ByteBudget
	metrics *telemetry.Metrics
	account uuid.UUID
	charged int64
}

// Read implements io.Reader.
func (b *chargedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if n > 0 {
		if !b.budget.TryReserve(b.account, int64(n)) {
			b.metrics.AdmissionRejected("bodies")
			return 0, apperr.Wrap(apperr.Unavailable, "server overloaded: too many request bodies", errors.New("body budget spent"))
		}
		b.charged += int64(n)
	}
	return n, err //nolint:wrapcheck // io.EOF must come back as it is
}
