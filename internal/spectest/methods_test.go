package spectest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// methods returns the methods of HTTP and two unknown ones. CONNECT is missing: it is not a request for a path.
func methods() []string {
	return []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace,
		"PROPFIND", "NONSENSE",
	}
}

// TestUndeclaredMethodsReturn405 sends every method to every path, with and without a credential. Allow lists the declared methods,
// HEAD where there is GET, and OPTIONS.
func TestUndeclaredMethodsReturn405(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.populate(t)
	before := f.snapshot(t)
	for path, item := range f.document.Paths.Map() {
		allowed := []string{http.MethodOptions}
		for method := range item.Operations() {
			allowed = append(allowed, method)
		}
		if item.Get != nil {
			allowed = append(allowed, http.MethodHead)
		}
		slices.Sort(allowed)
		target := withUnknownIDs(path)
		require.NotContains(t, target, "{")
		for _, method := range methods() {
			if slices.Contains(allowed, method) && method != http.MethodOptions {
				continue
			}
			for _, credential := range []string{"", "Bearer " + f.admin, "Bearer " + f.api.Key, "Bearer nonsense"} {
				request := f.api.Request(t, method, target, []byte(`{"name":"x"}`))
				request.Header.Set("Authorization", credential)
				answer := f.api.Do(t, request)
				listed := strings.Split(answer.Header.Get("Allow"), ", ")
				slices.Sort(listed)
				require.Equal(t, allowed, listed, "%s %s", method, path)
				if method == http.MethodOptions {
					require.Equal(t, http.StatusNoContent, answer.Status, "%s %s", method, path)
					continue
				}
				require.Equal(t, http.StatusMethodNotAllowed, answer.Status, "%s %s", method, path)
				if method != http.MethodHead {
					require.JSONEq(t, `{"detail":"Method not allowed"}`, string(answer.Body))
				}
			}
		}
	}
	require.Equal(t, before, f.snapshot(t), "nothing is written")
}

// TestHEAD requires the status and headers of GET, and no body.
func TestHEAD(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.populate(t)
	sent := 0
	for _, op := range operations(f.document) {
		if op.method != http.MethodGet {
			continue
		}
		sent++
		c := f.withFreshTargets(t, op, requestCase{}.with("HEAD"))
		get := f.send(t, op, c)
		op.method = http.MethodHead
		head := f.send(t, op, c)
		require.Equal(t, get.Status, head.Status, op.OperationID)
		require.Empty(t, head.Body, op.OperationID)
		for name := range get.Header {
			varies := get.Status == http.StatusFound && slices.Contains([]string{"Content-Length", "Location", "Set-Cookie"}, name)
			if !varies && !slices.Contains([]string{"Date", "X-Request-Id"}, name) && !strings.Contains(name, "Ratelimit") {
				require.Equal(t, get.Header.Values(name), head.Header.Values(name), "%s: %s", op.OperationID, name)
			}
		}
	}
	require.NotZero(t, sent)
}
