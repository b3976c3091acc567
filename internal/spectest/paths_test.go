package spectest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestPathNormalization requests each operation with missing, additional and trailing slashes in its path: the response is the same,
// and never a redirect. Writing operations are requested without a credential: 401 shows that the path was found.
func TestPathNormalization(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.populate(t)
	for _, op := range operations(f.document) {
		c := f.base(t, op)
		get := func(path string) testapi.Answer {
			request := f.api.Request(t, op.method, path, []byte("{}"))
			if op.method == http.MethodGet && op.scheme(t) == jwtScheme {
				request.Header.Set("Authorization", "Bearer "+f.admin)
			}
			if op.scheme(t) == feedScheme {
				f.addFeedToken(request)
			}
			return f.api.Do(t, request)
		}
		target := c.target(op)
		bare := strings.TrimSuffix(target, "/")
		canonical := get(target)
		if op.method == http.MethodGet {
			require.Equal(t, op.success(t), canonical.Status, op.OperationID)
		} else {
			require.Equal(t, http.StatusUnauthorized, canonical.Status, op.OperationID)
		}
		for _, path := range []string{bare, bare + "/", "/" + bare, "/" + bare + "/", "//" + bare + "//", strings.ReplaceAll(bare, "/", "//")} {
			got := get(path)
			require.Equal(t, canonical.Status, got.Status, "%s %s", op.method, path)
			require.Equal(t, withoutCursor(canonical), withoutCursor(got), "%s %s", op.method, path)
		}
		below := get(bare + "/nonsense/nonsense/nonsense")
		require.Equal(t, http.StatusNotFound, below.Status, "%s: no path below", op.OperationID)
		require.JSONEq(t, `{"detail":"Not found"}`, string(below.Body))
	}
}

// withoutCursor removes next_cursor, which differs from request to request.
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
