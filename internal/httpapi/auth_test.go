package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/testapi"
)

// operation is one of the specification's, ready to be called.
type operation struct{ id, method, path string }

func operations(t *testing.T) []operation {
	t.Helper()
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	var all []operation
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			all = append(all, operation{id: op.OperationID, method: method, path: path})
		}
	}
	return all
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

// TestSecurityIsAsSpecified compares what was generated with the document, operation by operation.
func TestSecurityIsAsSpecified(t *testing.T) {
	t.Parallel()
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	seen := 0
	for _, item := range document.Paths.Map() {
		for _, op := range item.Operations() {
			require.NotNil(t, op.Security, "%s must say its own security", op.OperationID)
			var schemes []string
			for _, requirement := range *op.Security {
				require.Len(t, requirement, 1, "%s: schemes are alternatives", op.OperationID)
				for scheme := range requirement {
					require.Contains(t, document.Components.SecuritySchemes, scheme)
					schemes = append(schemes, scheme)
				}
			}
			require.ElementsMatch(t, schemes, apigen.OperationSchemes[op.OperationID], op.OperationID)
			seen++
		}
	}
	require.Len(t, apigen.OperationSchemes, seen)
	require.Empty(t, document.Security, "nothing is inherited")
}

// TestEveryOperationRefusesBadCredentials walks over the specification.
func TestEveryOperationRefusesBadCredentials(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	expired := api.NewKey(t, testapi.Account)
	api.Exec(t, "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE key_id = 'k2'")
	revoked := api.NewKey(t, testapi.Account)
	require.NoError(t, api.Keys.RevokeNamed(t.Context(), testapi.Account, "k3"))
	stranger := api.NewKey(t, "other")
	random := strings.TrimPrefix(api.Key, "sk_acme_k1_")

	bearer := func(token string) []string { return []string{"Bearer " + token} }
	headers := map[string][]string{
		"None":               nil,
		"Empty":              {""},
		"SchemeAlone":        {"Bearer"},
		"SchemeAndSpace":     {"Bearer "},
		"KeyAlone":           {api.Key},
		"Basic":              {"Basic " + api.Key},
		"TwoHeaders":         {"Bearer " + api.Key, "Bearer " + api.Key},
		"TwoKeysInOne":       {"Bearer " + api.Key + ", Bearer " + api.Key},
		"TwoSpaces":          {"Bearer  " + api.Key},
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
		"JSONWebToken":       bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),
		"NULInside":          {"Bearer " + strings.Replace(api.Key, "_", "\u0100", 1)},
	}
	walked := 0
	for _, op := range operations(t) {
		if len(apigen.OperationSchemes[op.id]) == 0 {
			continue
		}
		walked++
		for name, values := range headers {
			t.Run(op.id+"/"+name, func(t *testing.T) {
				t.Parallel()
				request := api.Request(t, op.method, op.path, []byte("not even read"))
				request.Header["Authorization"] = slices.Clone(values)
				answer := api.Do(t, request)
				require.Equal(t, http.StatusUnauthorized, answer.Status)
				require.Equal(t, `{"detail":"Invalid authentication credentials"}`, string(answer.Body))
				require.Equal(t, "Bearer", answer.Header.Get("WWW-Authenticate"))
			})
		}
		t.Run(op.id+"/ValidOnes", func(t *testing.T) {
			t.Parallel()
			person := api.Token(t, testapi.Account, "admin")
			fitting, other := []string{"Bearer " + api.Key, "bearer " + api.Key, "BEARER " + stranger}, person
			if slices.Contains(apigen.OperationSchemes[op.id], "JWTAuth") {
				fitting, other = []string{"Bearer " + person}, api.Key
			}
			for _, value := range fitting {
				request := api.Request(t, op.method, op.path, []byte("{"))
				request.Header.Set("Authorization", value)
				require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, api.Do(t, request).Status, "past the door")
			}
			request := api.Request(t, op.method, op.path, []byte("{"))
			request.Header.Set("Authorization", "Bearer "+other)
			answer := api.Do(t, request)
			require.Equal(t, http.StatusForbidden, answer.Status, "a valid credential of the other kind")
			require.Equal(t, `{"detail":"You do not have permission to perform this action"}`, string(answer.Body))
		})
	}
	require.Equal(t, 50, walked)
	t.Cleanup(func() { requireNothingStored(t, api) })
}

func TestAccountsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	mine := api.PostEvent(t, deploymentEvents, deployment(nil))
	api.Key = api.NewKey(t, "other")
	theirs := api.PostEvent(t, deploymentEvents, deployment(nil))
	for _, name := range []string{"id", "event_id", "product_id", "version_id", "environment_id"} {
		require.NotEqual(t, mine.Field(t, name), theirs.Field(t, name), name)
	}
}

func TestRevocationIsSeenByAnotherServerWithinASecond(t *testing.T) {
	t.Parallel()
	one := testapi.New(t)
	two := testapi.New(t, testapi.WithDatabase(one.DSN))
	two.Key = one.Key
	for range 5 {
		two.PostEvent(t, deploymentEvents, deployment(nil))
	}
	require.NoError(t, one.Keys.RevokeNamed(t.Context(), testapi.Account, "k1"))
	require.Eventually(t, func() bool { return two.Post(t, deploymentEvents, "{}").Status == http.StatusUnauthorized }, time.Second, 5*time.Millisecond)
}
