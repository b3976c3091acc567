package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/require"
)

// clerk is an issuer of session tokens like those of Clerk.
type clerk struct {
	*httptest.Server

	key jwk.Key
}

func newClerk(t *testing.T) clerk {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	key, err := jwk.FromRaw(private)
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, "ins_1"))
	require.NoError(t, key.Set(jwk.AlgorithmKey, jwa.RS256))
	public, err := key.PublicKey()
	require.NoError(t, err)
	keys := jwk.NewSet()
	require.NoError(t, keys.AddKey(public))
	mux := http.NewServeMux()
	c := clerk{Server: httptest.NewServer(mux), key: key}
	t.Cleanup(c.Close)
	serve := func(path string, document any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(document)
		})
	}
	serve("/.well-known/openid-configuration", map[string]any{
		"issuer": c.URL, "jwks_uri": c.URL + "/.well-known/jwks.json", "authorization_endpoint": c.URL + "/oauth/authorize", "token_endpoint": c.URL + "/oauth/token",
	})
	serve("/.well-known/jwks.json", keys)
	return c
}

// session returns the cookie of a session, with some claims changed; nil removes one.
func (c clerk) session(t *testing.T, changes map[string]any) *http.Cookie {
	t.Helper()
	claims := map[string]any{
		"iss": c.URL, "sub": "user_2abc", "azp": "https://app.example.com", "sid": "sess_2def", "v": 2, "iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Minute).Unix(), "o": map[string]any{"id": "org_2ghi", "slg": "acme", "rol": "admin"},
	}
	maps.Copy(claims, changes)
	token := jwt.New()
	for name, value := range claims {
		if value != nil {
			require.NoError(t, token.Set(name, value))
		}
	}
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.RS256, c.key))
	require.NoError(t, err)
	return &http.Cookie{Name: "__session", Value: string(signed)}
}

// TestClerk signs in with the cookie of another application on the domain of the server.
func TestClerk(t *testing.T) {
	t.Parallel()
	issuer := newClerk(t)
	const signIn = "https://app.example.com/sign-in"
	server := launch(t, environment(newDataDir(t), "VERSIONER_JWT_ISSUER="+issuer.URL, "VERSIONER_JWT_AUTHORIZED_PARTY=https://app.example.com",
		"VERSIONER_SIGN_IN_URL="+signIn, "VERSIONER_PUBLIC_URL=https://versioner.example.com"), "serve")
	send := func(method, path string, cookie *http.Cookie, site string) (status int, answer map[string]any) {
		request, err := http.NewRequestWithContext(t.Context(), method, server.url+path, nil)
		require.NoError(t, err)
		request.Header.Set("Sec-Fetch-Site", site)
		if cookie != nil {
			request.AddCookie(cookie)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
		return response.StatusCode, answer
	}

	_, answer := send(http.MethodGet, "/auth/providers", nil, "same-origin")
	require.Equal(t, []any{map[string]any{"type": "external", "name": "app.example.com", "issuer": nil, "url": signIn}}, answer["providers"])

	status, answer := send(http.MethodGet, "/auth/session", issuer.session(t, nil), "same-origin")
	require.Equal(t, http.StatusOK, status, answer)
	require.Equal(t, "admin", answer["role"])
	require.Equal(t, "acme", answer["account"].(map[string]any)["slug"])
	require.Nil(t, answer["session_id"], "the session is that of the application")
	status, answer = send(http.MethodPost, "/auth/logout", issuer.session(t, nil), "same-origin")
	require.Equal(t, http.StatusOK, status, answer)
	require.Equal(t, signIn, answer["redirect_url"])
	status, _ = send(http.MethodPost, "/auth/logout", issuer.session(t, nil), "cross-site")
	require.Equal(t, http.StatusForbidden, status)

	for name, changes := range map[string]map[string]any{
		"AnotherApplication": {"azp": "https://evil.example.com"},
		"NoApplication":      {"azp": nil},
		"Expired":            {"iat": time.Now().Add(-time.Hour).Unix(), "exp": time.Now().Add(-time.Minute).Unix()},
		"AnotherInstance":    {"iss": "https://other.clerk.accounts.dev"},
		"Pending":            {"sts": "pending"},
		"NoOrganization":     {"o": nil},
	} {
		status, answer := send(http.MethodGet, "/auth/session", issuer.session(t, changes), "same-origin")
		require.Equal(t, http.StatusUnauthorized, status, "%s: %v", name, answer)
	}
	status, answer = send(http.MethodGet, "/auth/session", newClerk(t).session(t, map[string]any{"iss": issuer.URL}), "same-origin")
	require.Equal(t, http.StatusUnauthorized, status, "another key: %v", answer)
	server.stop(t)
}
