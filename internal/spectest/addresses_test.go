package spectest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestSlashesDoNotMatter asks every operation at its address with and without slashes around: the answer is the same, and
// never a redirect (contract.md §1). What changes something is asked without a credential, which shows that it was found.
func TestSlashesDoNotMatter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate(t)
	for _, op := range operations(w.document) {
		g := w.base(t, op)
		ask := func(path string) testapi.Answer {
			request := w.api.Request(t, op.method, path, []byte("{}"))
			if op.method == http.MethodGet && op.scheme(t) == people {
				request.Header.Set("Authorization", "Bearer "+w.admin)
			}
			return w.api.Do(t, request)
		}
		address := g.target(op)
		bare := strings.TrimSuffix(address, "/")
		usual := ask(address)
		if op.method == http.MethodGet {
			require.Equal(t, op.success(t), usual.Status, op.OperationID)
		} else {
			require.Equal(t, http.StatusUnauthorized, usual.Status, op.OperationID)
		}
		for _, path := range []string{bare, bare + "/", "/" + bare, "/" + bare + "/", "//" + bare + "//", strings.ReplaceAll(bare, "/", "//")} {
			got := ask(path)
			require.Equal(t, usual.Status, got.Status, "%s %s", op.method, path)
			require.Equal(t, withoutCursor(usual), withoutCursor(got), "%s %s", op.method, path)
		}
		below := ask(bare + "/nonsense/nonsense/nonsense")
		require.Equal(t, http.StatusNotFound, below.Status, "%s: below it is nothing", op.OperationID)
		require.JSONEq(t, `{"detail":"Not found"}`, string(below.Body))
	}
}

// withoutCursor leaves out of a body what belongs to the request.
func withoutCursor(answer testapi.Answer) string {
	var object map[string]any
	if json.Unmarshal(answer.Body, &object) != nil {
		return string(answer.Body)
	}
	delete(object, "next_cursor")
	text, err := json.Marshal(object)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
