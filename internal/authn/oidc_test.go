package authn_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
)

const ourAPI = "https://api.example.com"

// allowAll accepts every identity.
type allowAll struct{}

func (allowAll) Resolve(_ context.Context, identity authn.Identity) (authn.Principal, error) {
	return authn.Principal{UserID: uuid.New(), AccountSlug: identity.OrganizationID, UserName: identity.Subject, Role: strings.Join(identity.Roles, ",")}, nil
}

// provider starts an identity provider that generates its signing key.
func provider(t *testing.T, port, keyID string) (stop func()) {
	t.Helper()
	command := exec.Command("node", "provider.mjs", port, keyID)
	command.Dir = "testdata/oidc"
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	stop = func() { _ = command.Process.Kill(); _ = command.Wait() }
	t.Cleanup(stop)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if lines.Text() == "listening" {
			return stop
		}
	}
	require.Fail(t, "the identity provider does not start")
	return nil
}

// issued is a token that the provider gives to a client for an API.
func issued(t *testing.T, issuer, resource string) string {
	t.Helper()
	response, err := http.PostForm(issuer+"/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"dashboard"}, "client_secret": {"secret"}, "resource": {resource}, "scope": {"api"},
	})
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	require.NotEmpty(t, answer.AccessToken)
	return answer.AccessToken
}

// TestRealIdentityProvider discovers a third-party provider, accepts its tokens, and follows it when it changes its
// key.
func TestRealIdentityProvider(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil && os.Getenv("CI") == "" {
		t.Skip("SKIPPED: there is no npm to install an identity provider with")
	}
	if _, err := os.Stat("testdata/oidc/node_modules"); err != nil {
		install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		install.Dir = "testdata/oidc"
		said, err := install.CombinedOutput()
		require.NoError(t, err, "%s", said)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	issuer := "http://" + address

	tokens, err := authn.NewJWTs([]authn.Issuer{{URL: issuer, Audiences: []string{ourAPI}}}, allowAll{}, http.DefaultClient, time.Now, quiet)
	require.NoError(t, err)
	verify := func(token string) (authn.Principal, error) {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		ctx, err := tokens.JWTAuth(t.Context(), request)
		return authn.PrincipalFrom(ctx), err
	}

	stop := provider(t, port, "first")
	first := issued(t, issuer, ourAPI)
	principal, err := verify(first)
	require.NoError(t, err)
	require.Equal(t, "organisation-1", principal.AccountSlug)
	require.Equal(t, "dashboard", principal.UserName)
	require.Equal(t, "admin", principal.Role)

	for name, token := range map[string]string{
		"for another API": issued(t, issuer, "https://other.example.com"),
		"cut off":         first[:len(first)-4],
		"another's":       strings.Replace(first, ".", "x.", 1),
	} {
		_, err := verify(token)
		require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err), "%s: %v", name, err)
	}

	stop()
	_, err = verify(first)
	require.NoError(t, err, "its keys are known while it is away")
	provider(t, port, "second")
	second := issued(t, issuer, ourAPI)
	_, err = verify(second)
	require.NoError(t, err, "a key that it has changed to is fetched on first use")
}
