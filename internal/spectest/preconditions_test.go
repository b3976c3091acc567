package spectest_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestStaleChangesAreRefused makes every change that takes If-Match with a tag of another revision: 412, and nothing is
// changed. With the tag that the object has, it is made.
func TestStaleChangesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := operations(w.document)
	tried := 0
	for _, op := range all {
		read := slices.IndexFunc(all, func(other operation) bool { return other.path == op.path && other.method == http.MethodGet })
		if !op.takes("If-Match") {
			changes := op.method == http.MethodPatch || op.method == http.MethodDelete && read >= 0
			require.False(t, changes, "%s changes an object that has been read, and takes no If-Match", op.OperationID)
			continue
		}
		tried++
		t.Run(op.OperationID, func(t *testing.T) {
			base := w.base(t, op)
			tag := w.send(t, all[read], given{path: base.path}).Header.Get("ETag")
			require.Regexp(t, `^"\d+"$`, tag)
			before := w.snapshot(t)
			for _, stale := range []string{`"77"`, `"0"`, "W/" + tag, strings.Trim(tag, `"`), "nonsense", `"`, ",", tag[:len(tag)-1], `"77", "78"`} {
				g := base.with("If-Match: " + stale)
				g.header.Set("If-Match", stale)
				answer := w.send(t, op, g)
				require.Equal(t, http.StatusPreconditionFailed, answer.Status, "%s\n%s", g.show(op), answer.Body)
			}
			require.Equal(t, before, w.snapshot(t), "nothing is changed")

			fresh := base.with("If-Match with the tag")
			fresh.header.Set("If-Match", `"77", `+tag)
			answer := w.send(t, op, fresh)
			require.Equal(t, op.success(t), answer.Status, "%s\n%s", fresh.show(op), answer.Body)
			if op.method == http.MethodPatch {
				require.NotEqual(t, tag, answer.Header.Get("ETag"), "a change makes a new revision")
				require.Equal(t, answer.Header.Get("ETag"), w.send(t, all[read], given{path: base.path}).Header.Get("ETag"), "which is what is read")
				require.Equal(t, http.StatusPreconditionFailed, w.send(t, op, fresh).Status, "the tag is stale now")
			}
		})
	}
	require.NotZero(t, tried)
}

// TestRequestsOfOneNameAreCarriedOutOnce sends every request that takes an Idempotency-Key twice: the answer is the same,
// and nothing is written the second time. Another request of that name is refused.
func TestRequestsOfOneNameAreCarriedOutOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tried := 0
	for _, op := range operations(w.document) {
		if !op.takes("Idempotency-Key") {
			require.NotEqual(t, http.MethodPost, op.method, "%s: a POST takes an Idempotency-Key", op.OperationID)
			continue
		}
		tried++
		t.Run(op.OperationID, func(t *testing.T) {
			base, other := w.base(t, op), w.base(t, op)
			base.header.Set("Idempotency-Key", w.name())
			other.header = base.header
			first := w.send(t, op, base)
			require.Equal(t, op.success(t), first.Status, "%s\n%s", base.show(op), first.Body)
			require.Empty(t, first.Header.Get("Idempotent-Replayed"))
			before := w.snapshot(t)
			again := w.send(t, op, base)
			require.Equal(t, first.Status, again.Status)
			require.JSONEq(t, string(first.Body), string(again.Body))
			require.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
			require.Equal(t, first.Header.Get("ETag"), again.Header.Get("ETag"))

			refused := w.send(t, op, other)
			require.Equal(t, http.StatusUnprocessableEntity, refused.Status, "%s", refused.Body)
			require.Equal(t, []string{`["header","Idempotency-Key"]`}, placesOf(t, refused))
			require.Equal(t, before, w.snapshot(t), "nothing is written")
		})
	}
	require.NotZero(t, tried)
}

// TestCursorsOfOthersAreRefused gives every list what is no cursor, or one of another list, of another filter, or of
// another account.
func TestCursorsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate(t)
	all := operations(w.document)
	cursors := make(map[string]string)
	below := make(map[string]given)
	for _, op := range all {
		if op.isList() {
			g := w.fill(t, op, given{}.with("a list"))
			w.populateBelow(t, op, g)
			below[op.OperationID], cursors[op.OperationID] = g, w.cursor(t, op, g)
		}
	}
	require.Greater(t, len(cursors), 1)
	for _, op := range all {
		if !op.isList() {
			continue
		}
		t.Run(op.OperationID, func(t *testing.T) {
			own := cursors[op.OperationID]
			raw, err := base64.RawURLEncoding.DecodeString(own)
			require.NoError(t, err)
			bad := []string{"x", "nonsense", "==", "AAAA", own + "A", own[:len(own)-1], own[1:], flip(own, 3), flip(own, len(own)-5), base64.StdEncoding.EncodeToString(raw) + "=", " " + own, "../../etc/passwd", "' OR 1=1 --"}
			for id, cursor := range cursors {
				if id != op.OperationID {
					bad = append(bad, cursor)
				}
			}
			ask := func(cursor string, more url.Values) testapi.Answer {
				g := below[op.OperationID].with("a cursor")
				g.query = url.Values{"cursor": {cursor}}
				maps.Copy(g.query, more)
				return w.send(t, op, g)
			}
			for _, cursor := range bad {
				answer := ask(cursor, nil)
				require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%q: %s", cursor, answer.Body)
				require.Equal(t, []string{`["query","cursor"]`}, placesOf(t, answer))
			}
			require.Equal(t, http.StatusOK, ask(own, nil).Status)
			require.Equal(t, http.StatusOK, ask(own, url.Values{"limit": {"200"}}).Status, "pages may have another size")
			for _, reference := range op.paramsIn("query") {
				if name := reference.Value.Name; name != "cursor" && name != "limit" {
					filter := url.Values{name: {w.paramSamples(t, op, reference, given{})[0].value.(string)}}
					require.Equal(t, http.StatusUnprocessableEntity, ask(own, filter).Status, "another filter: %s", name)
				}
			}
			if !strings.Contains(op.path, "{") {
				request := w.api.Request(t, op.method, op.path+"?cursor="+own, nil)
				request.Header.Set("Authorization", "Bearer "+w.api.Token(t, "other", "admin"))
				require.Equal(t, http.StatusUnprocessableEntity, w.api.Do(t, request).Status, "another account")
			}
		})
	}
}
