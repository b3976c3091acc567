package testapi

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/sessions"
)

// exampleURL is the issuer of the examples of the document. No host has its name: exampleIdentityProvider answers for it.
const exampleURL = "https://login.example.com"

func exampleIssuer() authn.Issuer {
	return authn.Issuer{URL: exampleURL, Audiences: []string{"versioner"}, ClientID: "versioner"}
}

// exampleIdentityProvider has a discovery document, and nothing else.
func exampleIdentityProvider() *http.Client {
	return &http.Client{Transport: discoveryOnly{}}
}

type discoveryOnly struct{}

// RoundTrip implements http.RoundTripper.
func (discoveryOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	if r.URL.String() == exampleURL+"/.well-known/openid-configuration" {
		_, _ = answer.WriteString(`{"issuer":"` + exampleURL + `","authorization_endpoint":"` + exampleURL + `/authorize","token_endpoint":"` + exampleURL +
			`/token","jwks_uri":"` + exampleURL + `/jwks"}`)
	} else {
		answer.WriteHeader(http.StatusNotFound)
	}
	return answer.Result(), nil
}

// SignIn creates a session of the user with that role who is named like the role, as Token does, and returns its cookie.
func (a *API) SignIn(t *testing.T, account, role string) *http.Cookie {
	t.Helper()
	return a.SignInAs(t, account, role, role)
}

// SignInAs creates a session of a user of that name and returns its cookie.
func (a *API) SignInAs(t *testing.T, account, role, name string) *http.Cookie {
	t.Helper()
	request := a.Request(t, http.MethodGet, "/auth/session", nil)
	request.Header.Set("Authorization", "Bearer "+a.TokenOf(t, account, role, name))
	answer := a.Do(t, request)
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	var session sessions.NewSession
	session.UserName, session.Issuer, session.UserAgent, session.RemoteIP = name, exampleURL, "Mozilla/5.0", "203.0.113.7"
	require.NoError(t, session.AccountID.UnmarshalText([]byte(answer.Field(t, "account").(map[string]any)["id"].(string))))
	require.NoError(t, session.UserID.UnmarshalText([]byte(answer.Field(t, "user").(map[string]any)["id"].(string))))
	token, err := a.Sessions.Create(t.Context(), session)
	require.NoError(t, err)
	return &http.Cookie{Name: a.Cookies.SessionName(), Value: token}
}

// WithCookie sends a request with a session cookie.
func (a *API) WithCookie(t *testing.T, cookie *http.Cookie, method, path, body string) Answer {
	t.Helper()
	request := a.Request(t, method, path, []byte(body))
	request.AddCookie(cookie)
	return a.Do(t, request)
}
