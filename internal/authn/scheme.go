package authn

import (
	"net/http"
	"slices"
	"strings"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/sessions"
)

// SchemeOf returns the security scheme that the credential of a request looks like, and "none" without one. It verifies nothing.
func SchemeOf(r *http.Request) string {
	header := r.Header
	if _, ok := header["Authorization"]; ok {
		if text, err := bearer(header); err == nil && strings.HasPrefix(text, apikeys.TokenPrefix) {
			return "ApiKeyAuth"
		}
		return "JWTAuth"
	}
	has := func(cookie string) bool { return len(Cookies(header, cookie)) > 0 }
	switch {
	case slices.ContainsFunc(sessions.CookieNames(), has):
		return "SessionCookie"
	case has(sessionCookie):
		return "JWTAuth"
	case len(feedTokensFrom(r.Context())) > 0:
		return "CalendarFeedToken"
	default:
		return "none"
	}
}
