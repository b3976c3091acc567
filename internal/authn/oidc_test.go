package authn_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/testoidc"
)

const ourAPI = "https://api.example.com"

// allowAll accepts every identity.
type allowAll struct{}

func (allowAll) Resolve(_ context.Context, identity authn.Identity) (authn.Principal, error) {
	return authn.Principal{UserID: uuid.New(), AccountSlug: identity.OrganizationID, UserName: identity.Subject, Role: strings.Join(identity.Roles, ",")}, nil
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
	provider := testoidc.New(t)
	issuer := provider.Issuer

	tokens, err := authn.NewJWTs([]authn.Issuer{{URL: issuer, Audiences: []string{ourAPI}}}, allowAll{}, http.DefaultClient, time.Now, quiet)
	require.NoError(t, err)
	verify := func(token string) (authn.Principal, error) {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		ctx, err := tokens.JWTAuth(t.Context(), request)
		return authn.PrincipalFrom(ctx), err
	}

	stop := provider.Start(t, "first", "")
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
	provider.Start(t, "second", "")
	second := issued(t, issuer, ourAPI)
	_, err = verify(second)
	require.NoError(t, err, "a key that it has changed to is fetched on first use")
}
