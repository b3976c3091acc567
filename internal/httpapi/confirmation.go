package httpapi

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/logctx"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
)

//go:embed confirmation.html
var confirmationHTML string

//nolint:gochecknoglobals // parsed once
var confirmationTemplate = template.Must(template.New("confirmation").Parse(confirmationHTML))

// confirmationHandlers serve the page that confirmation e-mails link to. It needs no login: the token in the link authorises. GET changes
// nothing, because mail scanners follow links; the form of the page sends the POST.
type confirmationHandlers struct {
	db       *postgres.TenantPool
	channels notify.Channels
}

func (h confirmationHandlers) register(e *echo.Echo) {
	e.GET(notify.ConfirmationPath, h.form)
	e.POST(notify.ConfirmationPath, h.confirm)
}

func (h confirmationHandlers) form(c echo.Context) error {
	if h.channels.CheckConfirmation(c.QueryParam("token")) != nil {
		return confirmationPage(c, http.StatusNotFound, "invalid")
	}
	return confirmationPage(c, http.StatusOK, "form")
}

func (h confirmationHandlers) confirm(c echo.Context) error {
	ctx := c.Request().Context()
	ctx = audit.WithActor(ctx, audit.Actor{
		Type: "recipient", Name: "recipient", Credential: "confirmation link", RemoteIP: c.RealIP(), RequestID: logctx.From(ctx).ID,
	})
	err := h.channels.Confirm(ctx, h.db, c.QueryParam("token"))
	if errors.Is(err, notify.ErrInvalidToken) {
		return confirmationPage(c, http.StatusNotFound, "invalid")
	}
	if err != nil {
		return fmt.Errorf("confirm a recipient: %w", err)
	}
	return confirmationPage(c, http.StatusOK, "confirmed")
}

func confirmationPage(c echo.Context, status int, state string) error {
	header := c.Response().Header()
	header.Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	header.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers send the form with Origin: null
	header.Set(echo.HeaderContentType, "text/html; charset=utf-8")
	c.Response().WriteHeader(status)
	_ = confirmationTemplate.Execute(c.Response(), map[string]string{"State": state}) // fails when the client has disconnected
	return nil
}
