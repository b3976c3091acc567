package spectest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// wrong is a request that breaks one rule, and where the answer must say so.
type wrong struct {
	given

	loc []any
}

// TestWhatSchemasForbidIsRefused breaks one rule of the document at a time: the answer is 422 and names the place and no
// other, and nothing is written.
func TestWhatSchemasForbidIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate(t)
	sent := 0
	for _, op := range operations(w.document) {
		t.Run(op.OperationID, func(t *testing.T) {
			base := w.base(t, op)
			all := append(w.wrongBodies(t, op, base), w.wrongParams(t, op, base)...)
			require.True(t, len(all) > 0 || len(op.params) == 0 && op.RequestBody == nil, "nothing to break")
			before := w.snapshot(t)
			for _, g := range all {
				answer := w.send(t, op, g.given)
				require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s\n%s", g.show(op), answer.Body)
				places := placesOf(t, answer)
				require.NotEmpty(t, places)
				for _, place := range places {
					require.Equal(t, written(t, g.loc), place, "%s\n%s", g.show(op), answer.Body)
				}
				sent++
			}
			require.Equal(t, before, w.snapshot(t), "nothing is written")
		})
	}
	require.NotContains(t, w.api.Logs.String(), "cannot store", "nothing had to be refused by the database")
	t.Logf("%d requests", sent)
}

// TestWhatIsNoJSONIsRefused sends what is no JSON, no object, or of another content type.
func TestWhatIsNoJSONIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	taken := 0
	for _, op := range operations(w.document) {
		if op.RequestBody == nil {
			continue
		}
		taken++
		t.Run(op.OperationID, func(t *testing.T) {
			base := w.base(t, op)
			before := w.snapshot(t)
			texts := []string{"", " ", "{", "}", `{"name":}`, "name=x", "{} {}", "{}x", "\xff", "NaN", "'x'", "{\"a\":\"\n\"}", "\ufeff\ufeff{}"}
			if !op.isEvent() {
				texts = append(texts, "{\"a\":\"\xff\"}", `{"a":"\ud83d"}`, "\ufeff{}")
			}
			for _, text := range texts {
				bad := base.with("no JSON")
				bad.raw, bad.isRaw = text, true
				answer := w.send(t, op, bad)
				require.Equal(t, http.StatusBadRequest, answer.Status, "%s\n%s", bad.show(op), answer.Body)
				require.JSONEq(t, `{"detail":"Invalid JSON in request body"}`, string(answer.Body))
			}
			for _, text := range []string{"null", "[]", "[{}]", `"x"`, "7", "1.5", "true"} {
				bad := base.with("no object")
				bad.raw, bad.isRaw = text, true
				answer := w.send(t, op, bad)
				require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s\n%s", bad.show(op), answer.Body)
				require.Equal(t, []string{`["body"]`}, slices.Compact(placesOf(t, answer)))
			}
			for _, media := range []string{"", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "application/json; charset=utf-16", "nonsense"} {
				bad := base.with("of another content type")
				bad.header["Content-Type"] = []string{media}
				answer := w.send(t, op, bad)
				require.Equal(t, http.StatusUnsupportedMediaType, answer.Status, "%s\n%s", bad.show(op), answer.Body)
				require.JSONEq(t, `{"detail":"Unsupported media type"}`, string(answer.Body))
			}
			require.Equal(t, before, w.snapshot(t), "nothing is written")
		})
	}
	require.NotZero(t, taken)
}

// TestUndecodableQueriesAreRefused sends queries of which net/http would drop a part, and parameters that the operation does
// not have. Public operations ignore them.
func TestUndecodableQueriesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate(t)
	for _, op := range operations(w.document) {
		t.Run(op.OperationID, func(t *testing.T) {
			base := w.base(t, op)
			if op.scheme(t) == "" {
				base.rawQuery = "a;b&c=50%&nonsense=1"
				require.Equal(t, op.success(t), w.send(t, op, base).Status)
				return
			}
			before := w.snapshot(t)
			for query, want := range map[string]string{
				"a;b": `["query"]`, "limit=50%": `["query"]`, "limit=1&since=2999-01-01T00:00:00%zz": `["query"]`,
				"nonsense=1": `["query","nonsense"]`, "Limit=1": `["query","Limit"]`, "limit[]=1": `["query","limit[]"]`, "=1": `["query",""]`,
			} {
				base.rawQuery = query
				answer := w.send(t, op, base)
				require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s\n%s", query, answer.Body)
				require.Equal(t, []string{want}, placesOf(t, answer), query)
			}
			require.Equal(t, before, w.snapshot(t), "nothing is written")
		})
	}
}

// base is a request with which nothing is wrong, and all that its body may have.
func (w *world) base(t *testing.T, op operation) given {
	t.Helper()
	g := given{what: "everything"}.with("everything")
	if reference := op.body(t); reference != nil {
		body := w.make.everything(t, reference)
		w.complete(t, component(reference.Ref), body)
		if op.isEvent() {
			body["status"] = "completed" // or completed_at is ignored
		}
		g.body = body
	}
	return w.fill(t, op, g)
}

func (w *world) wrongBodies(t *testing.T, op operation, base given) []wrong {
	t.Helper()
	reference := op.body(t)
	if reference == nil {
		return nil
	}
	var all []wrong
	for _, broken := range violations(t, reference) {
		if op.isEvent() && readLeniently(reference.Value, broken) {
			continue
		}
		bad := base.with(broken.what)
		bad.body = broken.apply(bad.body)
		all = append(all, wrong{bad, append([]any{"body"}, broken.loc...)})
	}
	if alternatives := reference.Value.AnyOf; len(alternatives) > 0 {
		bad := base.with("none of the alternatives")
		for _, alternative := range alternatives {
			for _, name := range alternative.Value.Required {
				delete(bad.body.(map[string]any), name)
			}
		}
		all = append(all, wrong{bad, []any{"body", alternatives[0].Value.Required[0]}})
	}
	return all
}

// readLeniently reports whether events are accepted all the same (contract.md §3): with characters in free text that are
// replaced, and with numbers where CI systems have numbers.
func readLeniently(schema *openapi3.Schema, broken violation) bool {
	member := schema.Properties[fmt.Sprint(broken.loc...)]
	switch {
	case member == nil:
		return false
	case broken.what == "with NUL":
		return member.Value.Pattern != namePattern
	case broken.what == "of the kind integer":
		return broken.loc[0] == "build_number" || broken.loc[0] == "invoke_id"
	default:
		return false
	}
}

func (w *world) wrongParams(t *testing.T, op operation, base given) []wrong {
	t.Helper()
	var all []wrong
	for _, reference := range op.params {
		param := reference.Value
		bad := badParams(t, param)
		for _, value := range bad {
			broken := base.with(param.Name + " is " + value.what)
			text := value.value.(string)
			switch {
			case param.In != openapi3.ParameterInPath:
				broken.put(param, text)
			case text == "": // that is another address
				continue
			default:
				broken.path[param.Name] = url.PathEscape(text)
			}
			all = append(all, wrong{broken, []any{param.In, param.Name}})
		}
		if param.In != openapi3.ParameterInPath {
			twice := base.with(param.Name + " is given twice")
			twice.put(param, "1")
			twice.query[param.Name] = slices.Repeat(twice.query[param.Name], 2)
			name := http.CanonicalHeaderKey(param.Name)
			twice.header[name] = slices.Repeat(twice.header[name], 2)
			all = append(all, wrong{twice, []any{param.In, param.Name}})
		}
		require.NotEmpty(t, bad, "%s: nothing is wrong for %s", op.OperationID, param.Name)
	}
	return all
}

// placesOf are the places of what a refusal tells, as JSON.
func placesOf(t *testing.T, answer testapi.Answer) []string {
	t.Helper()
	var refusal struct {
		Detail []struct {
			Loc       []any
			Msg, Type string
		}
	}
	require.NoError(t, json.Unmarshal(answer.Body, &refusal), "%s", answer.Body)
	var places []string
	for _, item := range refusal.Detail {
		require.NotEmpty(t, item.Msg)
		require.False(t, item.Msg == "not valid" || !strings.Contains(item.Type, "_error"), "%s says nothing", answer.Body)
		places = append(places, written(t, item.Loc))
	}
	return places
}

func written(t *testing.T, loc []any) string {
	t.Helper()
	text, err := json.Marshal(loc)
	require.NoError(t, err)
	return string(text)
}
