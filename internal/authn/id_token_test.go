package authn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
)

func signInIssuer(p *idp) Issuer {
	issuer := clerkIssuer(p)
	issuer.ClientID, issuer.ClientSecret = "versioner", "secret"
	return issuer
}

// TestVerifyIDToken verifies tokens that the provider has signed. The audiences and parties of access tokens do not apply.
func TestVerifyIDToken(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	provider := newIDP(t, public(t, key, "k1"))
	other := newIDP(t, public(t, key, "k1"))
	fixture := newJWTFixture(t, provider.Client(), signInIssuer(provider), clerkIssuer(other))
	for name, test := range map[string]struct {
		claims []string // changes
		nonce  string
		reason string // in the error; empty: none
	}{
		"Valid":                  {nil, "n", ""},
		"NonceInARefresh":        {nil, "", ""},
		"NoNonceInARefresh":      {[]string{"nonce", ""}, "", ""},
		"AuthorizedParty":        {[]string{"azp", `"versioner"`}, "n", ""},
		"TwoAudiences":           {[]string{"aud", `["versioner","other"]`, "azp", `"versioner"`}, "n", ""},
		"NonceOfAnother":         {nil, "other", "the nonce is not that of the sign-in"},
		"NoNonce":                {[]string{"nonce", ""}, "n", "the nonce is not that of the sign-in"},
		"Audience":               {[]string{"aud", `"https://api.example.com"`}, "n", "aud holds none of"},
		"NoAudience":             {[]string{"aud", ""}, "n", "aud holds none of"},
		"OtherParty":             {[]string{"azp", `"` + party + `"`}, "n", "azp"},
		"TwoAudiencesAndNoParty": {[]string{"aud", `["versioner","other"]`}, "n", "several audiences"},
		"OtherIssuer":            {[]string{"iss", fmt.Sprintf("%q", other.URL)}, "n", "iss is"},
		"Expired":                {[]string{"exp", at(-60)}, "n", "expired"},
		"NoOrganization":         {[]string{"org_id", ""}, "n", `claim "org_id" is missing`},
		"OnBehalfOfTheUser":      {[]string{"act", `{"sub":"x"}`}, "n", "act is not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims := payload(provider.URL, append([]string{"aud", `"versioner"`, "azp", "", "nonce", `"n"`}, test.claims...)...)
			identity, err := fixture.VerifyIDToken(t.Context(), provider.URL, sign(t, jwa.RS256, key, header(), claims), test.nonce)
			if test.reason == "" {
				require.NoError(t, err)
				require.Equal(t, "user_1", identity.Subject)
				return
			}
			require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err))
			require.ErrorContains(t, err, test.reason)
			require.Zero(t, identity)
		})
	}

	t.Run("Signature", func(t *testing.T) {
		t.Parallel()
		forged := sign(t, jwa.RS256, rsaKeys[1](), header(), payload(provider.URL, "aud", `"versioner"`, "azp", "", "nonce", `"n"`))
		_, err := fixture.VerifyIDToken(t.Context(), provider.URL, forged, "n")
		require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err))
	})
	t.Run("IssuerWithoutClient", func(t *testing.T) {
		t.Parallel()
		_, err := fixture.VerifyIDToken(t.Context(), other.URL, sign(t, jwa.RS256, key, header(), payload(other.URL)), "n")
		require.ErrorContains(t, err, "has no client ID")
	})
	t.Run("IsNoSessionToken", func(t *testing.T) {
		t.Parallel()
		idToken := sign(t, jwa.RS256, key, header(), payload(provider.URL, "aud", `"versioner"`, "azp", "", "nonce", `"n"`))
		require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(fixture.try(t.Context(), idToken)))
	})
}

// TestEndpointsAreDiscovered requires them to be https, as the keys are.
func TestEndpointsAreDiscovered(t *testing.T) {
	t.Parallel()
	var discovery string
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(discovery)) }))
	t.Cleanup(provider.Close)
	document := func(token string) string {
		return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":%q,"token_endpoint":%q}`,
			provider.URL, provider.URL+"/jwks", provider.URL+"/authorize", token)
	}
	issuer := Issuer{URL: provider.URL, Audiences: []string{"x"}, ClientID: "versioner"}
	fixture := newJWTFixture(t, provider.Client(), issuer)
	for _, token := range []string{"", "http://login.example.com/token", "ftp://login.example.com/", "https://user@login.example.com/"} {
		discovery = document(token)
		fixture.clock.advance(time.Minute)
		_, err := fixture.Endpoints(t.Context(), provider.URL)
		require.Equal(t, apperr.Unavailable, apperr.CodeOf(err), token)
	}
	discovery = document("https://login.example.com/token")
	fixture.clock.advance(time.Minute)
	found, err := fixture.Endpoints(t.Context(), provider.URL)
	require.NoError(t, err)
	require.Equal(t, "https://login.example.com/token", found.Token)
	require.Equal(t, provider.URL+"/authorize", found.Authorization)
}

// TestUnknownSessionsSpendTheirOwnBudget: random cookies cost the database as little as random API keys.
func TestUnknownSessionsSpendTheirOwnBudget(t *testing.T) {
	t.Parallel()
	lookUps := newKeyLookUps[cachedSession](2)
	fetch := func(context.Context) (cachedSession, error) {
		return cachedSession{}, unauthenticated(errors.New("unknown"))
	}
	var codes []apperr.Code
	for key := range byte(3) {
		_, err := lookUps.do(t.Context(), "203.0.113.7", fingerprint{key}, fetch)
		codes = append(codes, apperr.CodeOf(err))
	}
	require.Equal(t, []apperr.Code{apperr.Unauthenticated, apperr.Unauthenticated, apperr.RateLimited}, codes)
}
