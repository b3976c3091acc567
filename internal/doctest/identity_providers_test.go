package doctest_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// provider signs tokens like an identity provider.
type provider struct{ key *rsa.PrivateKey }

func newProvider(t *testing.T) provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return provider{key: key}
}

// setting configures a server with the public key.
func (p provider) setting(t *testing.T) string {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
	require.NoError(t, err)
	return "VERSIONER_JWT_PUBLIC_KEY=" + string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
}

// token signs claims with a validity of a minute.
func (p provider) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := maps.Clone(claims)
	all["iat"], all["exp"] = time.Now().Unix(), time.Now().Add(time.Minute).Unix()
	payload, err := json.Marshal(all)
	require.NoError(t, err)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	hash := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, hash[:])
	require.NoError(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// testIdentityProviders starts a server with the settings of each provider and sends the token of the page.
func testIdentityProviders(t *testing.T, g *guide) {
	t.Helper()
	shells, tokens := g.take(t, "sh"), g.take(t, "json")
	require.Len(t, shells, len(tokens)+1)
	check := shells[len(tokens)]
	for i, shown := range tokens {
		settings := shells[i]
		require.Equal(t, shown.heading, settings.heading)
		t.Run(shown.heading, func(t *testing.T) {
			t.Parallel()
			var claims map[string]any
			require.NoError(t, json.Unmarshal([]byte(shown.text), &claims))
			signer := newProvider(t)
			s := newClone(t, signer.setting(t))
			s.output = start(t, s.env, s.dir, "bash", "-euc", settings.text+"exec bin/versionerd serve")
			awaitReady(t, s.url, s.output)

			token := signer.token(t, claims)
			s.env = append(s.env, "TOKEN="+token)
			output := s.shell(t, check.text)
			require.Contains(t, output, `"sub":"`+claims["sub"].(string)+`"`)
			require.Contains(t, output, `"role":"admin"`)
			status, _ := send(t, http.MethodPost, s.url+"/api-keys/", token, `{"name":"ci"}`)
			require.Equal(t, http.StatusCreated, status, "an admin can create keys")
			requireRejections(t, g, s, signer, claims)
			if shown.heading == "Clerk" {
				requireOneAccount(t, s, settings.text, token)
				requireTwoAccounts(t, s, settings.text, signer, claims)
			}
		})
	}
}

// requireRejections changes one claim at a time.
func requireRejections(t *testing.T, g *guide, s *server, signer provider, claims map[string]any) {
	t.Helper()
	for name, change := range map[string]func(map[string]any){
		"issuer":       func(c map[string]any) { c["iss"] = strings.TrimRight(c["iss"].(string), "/") + "//" },
		"party":        func(c map[string]any) { c["azp"], c["aud"] = "x", "x" },
		"organisation": func(c map[string]any) { delete(c, "o"); delete(c, "org_id"); delete(c, "v") },
		"subject":      func(c map[string]any) { delete(c, "sub") },
	} {
		changed := maps.Clone(claims)
		change(changed)
		status, _ := send(t, http.MethodGet, s.url+"/users/", signer.token(t, changed), "")
		require.Equal(t, http.StatusUnauthorized, status, name)
	}
	status, _ := send(t, http.MethodGet, s.url+"/users/", newProvider(t).token(t, claims), "")
	require.Equal(t, http.StatusUnauthorized, status, "a signature of another key")
	if _, ok := claims["v"]; ok { // the page quotes the log for this provider
		for _, quoted := range []string{`azp "x" is none of ["https://app.example.com"]`, `claim "org_id" is missing or empty`} {
			require.Contains(t, g.text, "`"+quoted+"`")
			require.Contains(t, strings.ReplaceAll(s.output.String(), `\"`, `"`), quoted)
		}
	}
	unknown := maps.Clone(claims)
	unknown["sub"], unknown["org_role"], unknown["https://versioner.example.com/role"] = "another", "member", "member"
	unknown["resource_access"] = map[string]any{"versioner": map[string]any{"roles": []string{"member"}}}
	if _, ok := unknown["o"]; ok {
		unknown["o"] = map[string]any{"id": "org_2ghi", "slg": "acme", "rol": "member"}
	}
	token := signer.token(t, unknown)
	status, _ = send(t, http.MethodGet, s.url+"/products/", token, "")
	require.Equal(t, http.StatusOK, status)
	status, _ = send(t, http.MethodPost, s.url+"/products/", token, `{"name":"x"}`)
	require.Equal(t, http.StatusForbidden, status, "an unknown role becomes viewer")
}

// requireOneAccount requires a command to find the account that a token has created.
func requireOneAccount(t *testing.T, s *server, settings, token string) {
	t.Helper()
	key := strings.TrimSpace(s.shell(t, settings+"bin/versionerd keys create --account acme --name ci"))
	status, _ := send(t, http.MethodPost, s.url+deploy, key, someEvent)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, items(t, s.url+"/deployments/", token), 1)
}

// requireTwoAccounts covers a warning of production.md: an account created for a key does not become the account of an organisation.
func requireTwoAccounts(t *testing.T, s *server, settings string, signer provider, claims map[string]any) {
	t.Helper()
	key := strings.TrimSpace(s.shell(t, settings+"bin/versionerd keys create --account globex --name ci"))
	status, _ := send(t, http.MethodPost, s.url+deploy, key, someEvent)
	require.Equal(t, http.StatusOK, status)
	others := maps.Clone(claims)
	others["o"] = map[string]any{"id": "org_2jkl", "slg": "globex", "rol": "admin"}
	token := signer.token(t, others)
	require.Empty(t, items(t, s.url+"/deployments/", token))
	_, made := send(t, http.MethodPost, s.url+"/api-keys/", token, `{"name":"ci"}`)
	require.Regexp(t, `"key":"sk_globex-[a-z2-7]{8}_`, made)
}
