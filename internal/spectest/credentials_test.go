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

// TestBadCredentialsAreRefused tries every operation that wants a credential without a valid one, and with a valid one of
// the other kind. Nothing is written, not even an account for a token that nobody has signed.
func TestBadCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := w.badCredentials(t)
	stranger := w.api.NewKey(t, "other")
	before := w.snapshot(t)
	t.Cleanup(func() { require.Equal(t, before, w.snapshot(t), "nothing is written") })
	walked := 0
	for _, op := range operations(w.document) {
		scheme := op.scheme(t)
		if scheme == "" {
			continue
		}
		walked++
		try := func(t *testing.T, body string, values ...string) testapi.Answer {
			t.Helper()
			request := w.api.Request(t, op.method, op.path, []byte(body))
			request.Header["Authorization"] = values
			return w.api.Do(t, request)
		}
		t.Run(op.OperationID, func(t *testing.T) {
			t.Parallel()
			for name, values := range bad {
				answer := try(t, "not even read", values...)
				require.Equal(t, http.StatusUnauthorized, answer.Status, name)
				require.Equal(t, unauthenticated, string(answer.Body), name)
				require.Equal(t, "Bearer", answer.Header.Get("WWW-Authenticate"), name)
			}
			fitting, other := []string{"Bearer " + w.api.Key, "bearer " + w.api.Key, "BEARER " + stranger, "Bearer  " + w.api.Key + " \t"}, w.admin
			if scheme == people {
				fitting, other = []string{"Bearer " + w.admin}, w.api.Key
			}
			for _, value := range fitting {
				require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, try(t, "{", value).Status, "past the door")
			}
			answer := try(t, "{", "Bearer "+other)
			require.Equal(t, http.StatusForbidden, answer.Status, "a valid credential of the other kind")
			require.Equal(t, forbidden, string(answer.Body))
		})
	}
	require.NotZero(t, walked)
}

// badCredentials are headers that nobody should be let in with.
func (w *world) badCredentials(t *testing.T) map[string][]string {
	t.Helper()
	api := w.api
	expired := api.NewKey(t, testapi.Account)
	api.Exec(t, "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE key_id = 'k2'")
	revoked := api.NewKey(t, testapi.Account)
	require.NoError(t, api.Keys.RevokeNamed(t.Context(), testapi.Account, "k3"))
	random := strings.TrimPrefix(api.Key, "sk_acme_k1_")
	stranger, err := authn.LoadDevKey(t.TempDir())
	require.NoError(t, err)
	forged, err := stranger.Token(testapi.Account, "admin", "admin", time.Now(), time.Hour)
	require.NoError(t, err)
	parts := strings.Split(w.admin, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	changed := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), testapi.Account, "other", 1)))
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))

	bearer := func(token string) []string { return []string{"Bearer " + token} }
	return map[string][]string{
		"None":               nil,
		"Empty":              {""},
		"SchemeAlone":        {"Bearer"},
		"SchemeAndSpace":     {"Bearer "},
		"KeyAlone":           {api.Key},
		"Basic":              {"Basic " + api.Key},
		"TwoHeaders":         {"Bearer " + api.Key, "Bearer " + api.Key},
		"TwoKeysInOne":       {"Bearer " + api.Key + ", Bearer " + api.Key},
		"FlippedSecret":      bearer(flip(api.Key, len(api.Key)-20)),
		"FlippedChecksum":    bearer(flip(api.Key, len(api.Key)-1)),
		"FlippedAccount":     bearer(flip(api.Key, 3)),
		"SplicedAccount":     bearer("sk_other_k1_" + random),
		"SplicedKey":         bearer("sk_acme_k2_" + random),
		"Truncated":          bearer(api.Key[:len(api.Key)-6]),
		"Unknown":            bearer("sk_acme_k9_" + strings.Repeat("A", 40)),
		"UnknownOfOurLength": bearer("sk_acme_k9_" + strings.Repeat("A", 49)),
		"Expired":            bearer(expired),
		"Revoked":            bearer(revoked),
		"Gigantic":           bearer("sk_acme_k1_" + strings.Repeat("A", 20_000)),
		"NotAKey":            bearer("hunter2"),
		"NULInside":          {"Bearer " + strings.Replace(api.Key, "_", "\u0100", 1)},
		"TokenAlone":         {w.admin},
		"TokenExpired":       bearer(api.TokenAt(t, testapi.Account, "admin", time.Now().Add(-2*time.Hour))),
		"TokenNotYet":        bearer(api.TokenAt(t, testapi.Account, "admin", time.Now().Add(time.Hour))),
		"TokenForged":        bearer(forged),
		"TokenChanged":       bearer(parts[0] + "." + changed + "." + parts[2]),
		"TokenUnsigned":      bearer(unsigned + "." + parts[1] + "."),
		"TokenWithoutEnd":    bearer(parts[0] + "." + parts[1]),
		"TokenFlipped":       bearer(parts[0] + "." + parts[1] + "." + flip(parts[2], 9)),
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

// TestPublicOperationsLookAtNoCredential: a broken one does not keep a load balancer out.
func TestPublicOperationsLookAtNoCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, op := range operations(w.document) {
		if op.scheme(t) == "" {
			for _, value := range []string{"Bearer nonsense", "Bearer " + w.api.Key, "Bearer " + w.admin, "Basic eDp5"} {
				request := w.api.Request(t, op.method, op.path, nil)
				request.Header.Set("Authorization", value)
				require.Equal(t, op.success(t), w.api.Do(t, request).Status, op.OperationID)
			}
		}
	}
	require.True(t, slices.ContainsFunc(operations(w.document), func(op operation) bool { return op.scheme(t) == "" }))
}
