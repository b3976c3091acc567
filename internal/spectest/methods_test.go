package spectest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// methods are those that HTTP has, and two that it has not. CONNECT is left out: it is said to proxies, and is no request
// to an address.
func methods() []string {
	return []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace,
		"PROPFIND", "NONSENSE",
	}
}

// TestMethodsThatAreNotDeclaredAreRefused tries every method on every path: what is not declared is answered with 405, with
// and without a credential, and Allow lists what there is. HEAD goes with GET, and OPTIONS is answered everywhere.
func TestMethodsThatAreNotDeclaredAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate(t)
	before := w.snapshot(t)
	for path, item := range w.document.Paths.Map() {
		allowed := []string{http.MethodOptions}
		for method := range item.Operations() {
			allowed = append(allowed, method)
		}
		if item.Get != nil {
			allowed = append(allowed, http.MethodHead)
		}
		slices.Sort(allowed)
		address := strings.NewReplacer("{id}", uuid.NewString(), "{version_id}", uuid.NewString()).Replace(path)
		require.NotContains(t, address, "{")
		for _, method := range methods() {
			if slices.Contains(allowed, method) && method != http.MethodOptions {
				continue
			}
			for _, credential := range []string{"", "Bearer " + w.admin, "Bearer " + w.api.Key, "Bearer nonsense"} {
				request := w.api.Request(t, method, address, []byte(`{"name":"x"}`))
				request.Header.Set("Authorization", credential)
				answer := w.api.Do(t, request)
				told := strings.Split(answer.Header.Get("Allow"), ", ")
				slices.Sort(told)
				require.Equal(t, allowed, told, "%s %s", method, path)
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
	require.Equal(t, before, w.snapshot(t), "nothing is written")
}

// TestHEADIsAnsweredAsGET wants the same status and headers, and no body.
func TestHEADIsAnsweredAsGET(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate(t)
	asked := 0
	for _, op := range operations(w.document) {
		if op.method != http.MethodGet {
			continue
		}
		asked++
		g := w.fill(t, op, given{}.with("HEAD"))
		get := w.send(t, op, g)
		op.method = http.MethodHead
		head := w.send(t, op, g)
		require.Equal(t, get.Status, head.Status, op.OperationID)
		require.Empty(t, head.Body, op.OperationID)
		for name := range get.Header {
			if !slices.Contains([]string{"Date", "X-Request-Id"}, name) && !strings.Contains(name, "Ratelimit") {
				require.Equal(t, get.Header.Values(name), head.Header.Values(name), "%s: %s", op.OperationID, name)
			}
		}
	}
	require.NotZero(t, asked)
}
