package spectest_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/testapi"
)

const (
	unauthenticated = `{"detail":"Invalid authentication credentials"}`
	forbidden       = `{"detail":"You do not have permission to perform this action"}`
)

// TestInvalidCredentials requests each operation that requires a credential with invalid ones and with a valid one of the other
// scheme. Nothing is written, no account for a forged token either.
func TestInvalidCredentials(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bad := f.invalidCredentials(t)
	stranger := f.api.NewKey(t, "other")
	before := f.snapshot(t)
	t.Cleanup(func() { require.Equal(t, before, f.snapshot(t), "nothing is written") })
	walked := 0
	for _, op := range operations(f.document) {
		scheme := op.scheme(t)
		if scheme == "" {
			continue
		}
		walked++
		send := func(t *testing.T, body string, values ...string) testapi.Answer {
			t.Helper()
			request := f.api.Request(t, op.method, op.path, []byte(body))
			request.Header["Authorization"] = values
			return f.api.Do(t, request)
		}
		sendFeedToken := func(t *testing.T) testapi.Answer {
			t.Helper()
			request := f.api.Request(t, op.method, op.path, nil)
			f.addFeedToken(request)
			return f.api.Do(t, request)
		}
		t.Run(op.OperationID, func(t *testing.T) {
			t.Parallel()
			for name, values := range bad {
				answer := send(t, "unread", values...)
				require.Equal(t, http.StatusUnauthorized, answer.Status, name)
				require.Equal(t, unauthenticated, string(answer.Body), name)
				require.Equal(t, "Bearer", answer.Header.Get("WWW-Authenticate"), name)
			}
			fitting, other := []string{"Bearer " + f.api.Key, "bearer " + f.api.Key, "BEARER " + stranger, "Bearer  " + f.api.Key + " \t"}, f.admin
			switch scheme {
			case jwtScheme:
				fitting, other = []string{"Bearer " + f.admin}, f.api.Key
			case feedScheme:
				fitting = nil
				require.Equal(t, http.StatusOK, sendFeedToken(t).Status)
			}
			if scheme != feedScheme {
				require.Equal(t, http.StatusUnauthorized, sendFeedToken(t).Status, "the token of a calendar feed")
			}
			for _, value := range fitting {
				require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, send(t, "{", value).Status, "a valid credential")
			}
			answer := send(t, "{", "Bearer "+other)
			require.Equal(t, http.StatusForbidden, answer.Status, "a valid credential of the other scheme")
			require.Equal(t, forbidden, string(answer.Body))
		})
	}
	require.NotZero(t, walked)
}

// invalidCredentials returns values of the header Authorization.
func (f *fixture) invalidCredentials(t *testing.T) map[string][]string {
	t.Helper()
	api := f.api
	expired := api.NewKey(t, testapi.Account)
	api.Exec(t, "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE key_id = 'k2'")
	revoked := api.NewKey(t, testapi.Account)
	require.NoError(t, api.Keys.RevokeByKeyID(t.Context(), testapi.Account, "k3"))
	random := strings.TrimPrefix(api.Key, "sk_acme_k1_")
	stranger, err := authn.LoadDevSigner(t.TempDir())
	require.NoError(t, err)
	forged, err := stranger.Token(testapi.Account, "admin", "admin", time.Now(), time.Hour)
	require.NoError(t, err)
	parts := strings.Split(f.admin, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	changed := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), testapi.Account, "other", 1)))
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))

	bearer := func(token string) []string { return []string{"Bearer " + token} }
	return map[string][]string{
		"None":                 nil,
		"Empty":                {""},
		"SchemeAlone":          {"Bearer"},
		"SchemeAndSpace":       {"Bearer "},
		"KeyAlone":             {api.Key},
		"Basic":                {"Basic " + api.Key},
		"TwoHeaders":           {"Bearer " + api.Key, "Bearer " + api.Key},
		"TwoKeysInOne":         {"Bearer " + api.Key + ", Bearer " + api.Key},
		"FlippedSecret":        bearer(flip(api.Key, len(api.Key)-20)),
		"FlippedChecksum":      bearer(flip(api.Key, len(api.Key)-1)),
		"FlippedAccount":       bearer(flip(api.Key, 3)),
		"SplicedAccount":       bearer("sk_other_k1_" + random),
		"SplicedKey":           bearer("sk_acme_k2_" + random),
		"Truncated":            bearer(api.Key[:len(api.Key)-6]),
		"Unknown":              bearer("sk_acme_k9_" + strings.Repeat("A", 40)),
		"UnknownOfValidLength": bearer("sk_acme_k9_" + strings.Repeat("A", 49)),
		"Expired":              bearer(expired),
		"Revoked":              bearer(revoked),
		"Gigantic":             bearer("sk_acme_k1_" + strings.Repeat("A", 20_000)),
		"NotAKey":              bearer("hunter2"),
		"FeedToken":            bearer(f.feed),
		"NULInside":            {"Bearer " + strings.Replace(api.Key, "_", "\u0100", 1)},
		"TokenAlone":           {f.admin},
		"TokenExpired":         bearer(api.TokenAt(t, testapi.Account, "admin", time.Now().Add(-2*time.Hour))),
		"TokenNotYet":          bearer(api.TokenAt(t, testapi.Account, "admin", time.Now().Add(time.Hour))),
		"TokenForged":          bearer(forged),
		"TokenChanged":         bearer(parts[0] + "." + changed + "." + parts[2]),
		"TokenUnsigned":        bearer(unsigned + "." + parts[1] + "."),
		"TokenWithoutEnd":      bearer(parts[0] + "." + parts[1]),
		"TokenFlipped":         bearer(parts[0] + "." + parts[1] + "." + flip(parts[2], 9)),
	}
}

func flip(text string, at int) string {
	changed := []byte(text)
	if changed[at] == 'x' {
		changed[at] = 'y'
	} else {
		changed[at] = 'x'
	}
	return string(changed)
}

// TestPublicOperationsIgnoreCredentials: an invalid credential does not make a health check fail.
func TestPublicOperationsIgnoreCredentials(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, op := range operations(f.document) {
		if op.scheme(t) == "" {
			for _, value := range []string{"Bearer nonsense", "Bearer " + f.api.Key, "Bearer " + f.admin, "Basic eDp5"} {
				request := f.api.Request(t, op.method, op.path, nil)
				request.Header.Set("Authorization", value)
				require.Equal(t, op.success(t), f.api.Do(t, request).Status, op.OperationID)
			}
		}
	}
	require.True(t, slices.ContainsFunc(operations(f.document), func(op operation) bool { return op.scheme(t) == "" }))
}
