package spectest_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestMalformedBodies sends bodies that are not JSON, not objects, or of another content type.
func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	walked := 0
	for _, op := range operations(f.document) {
		if op.RequestBody == nil {
			continue
		}
		walked++
		t.Run(op.OperationID, func(t *testing.T) {
			base := f.base(t, op)
			before := f.snapshot(t)
			declared := cmp.Or(op.textType(), "application/json")
			for _, media := range []string{"", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", declared + "; charset=utf-16", "nonsense"} {
				bad := base.with("another content type")
				bad.header["Content-Type"] = []string{media}
				answer := f.send(t, op, bad)
				require.Equal(t, http.StatusUnsupportedMediaType, answer.Status, "%s\n%s", bad.describe(op), answer.Body)
				require.JSONEq(t, `{"detail":"Unsupported media type"}`, string(answer.Body))
			}
			if op.textType() != "" {
				for _, text := range []string{"", " ", "{}", "\xff", "\x00", "null"} {
					bad := base.with("no calendar")
					bad.raw, bad.isRaw = text, true
					answer := f.send(t, op, bad)
					require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s\n%s", bad.describe(op), answer.Body)
					require.Equal(t, []string{`["body"]`}, locationsOf(t, answer))
				}
				require.Equal(t, before, f.snapshot(t), "nothing is written")
				return
			}
			texts := []string{"", " ", "{", "}", `{"name":}`, "name=x", "{} {}", "{}x", "\xff", "NaN", "'x'", "{\"a\":\"\n\"}", "\ufeff\ufeff{}"}
			if !op.isEvent() {
				texts = append(texts, "{\"a\":\"\xff\"}", `{"a":"\ud83d"}`, "\ufeff{}")
			}
			for _, text := range texts {
				bad := base.with("not JSON")
				bad.raw, bad.isRaw = text, true
				answer := f.send(t, op, bad)
				require.Equal(t, http.StatusBadRequest, answer.Status, "%s\n%s", bad.describe(op), answer.Body)
				require.JSONEq(t, `{"detail":"Invalid JSON in request body"}`, string(answer.Body))
			}
			for _, text := range []string{"null", "[]", "[{}]", `"x"`, "7", "1.5", "true"} {
				bad := base.with("not an object")
				bad.raw, bad.isRaw = text, true
				answer := f.send(t, op, bad)
				require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s\n%s", bad.describe(op), answer.Body)
				require.Equal(t, []string{`["body"]`}, slices.Compact(locationsOf(t, answer)))
			}
			require.Equal(t, before, f.snapshot(t), "nothing is written")
		})
	}
	require.NotZero(t, walked)
}

// TestMalformedQueries sends queries of which net/http drops a part, and unknown parameters. Public operations ignore them.
func TestMalformedQueries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.populate(t)
	for _, op := range operations(f.document) {
		t.Run(op.OperationID, func(t *testing.T) {
			base := f.base(t, op)
			if op.scheme(t) == "" {
				base.rawQuery = "a;b&c=50%&nonsense=1"
				require.Equal(t, op.success(t), f.send(t, op, base).Status)
				return
			}
			before := f.snapshot(t)
			for query, want := range map[string]string{
				"a;b": `["query"]`, "limit=50%": `["query"]`, "limit=1&since=2999-01-01T00:00:00%zz": `["query"]`,
				"nonsense=1": `["query","nonsense"]`, "Limit=1": `["query","Limit"]`, "limit[]=1": `["query","limit[]"]`, "=1": `["query",""]`,
			} {
				base.rawQuery = query
				answer := f.send(t, op, base)
				require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s\n%s", query, answer.Body)
				require.Equal(t, []string{want}, locationsOf(t, answer), query)
			}
			require.Equal(t, before, f.snapshot(t), "nothing is written")
		})
	}
}

// locationsOf returns the locations of the errors of a 422 response, as JSON.
func locationsOf(t *testing.T, answer testapi.Answer) []string {
	t.Helper()
	var response struct {
		Detail []struct {
			Loc       []any
			Msg, Type string
		}
	}
	require.NoError(t, json.Unmarshal(answer.Body, &response), "%s", answer.Body)
	var locations []string
	for _, item := range response.Detail {
		require.NotEmpty(t, item.Msg)
		require.False(t, item.Msg == "not valid" || !strings.Contains(item.Type, "_error"), "%s: no message", answer.Body)
		locations = append(locations, marshalled(t, item.Loc))
	}
	return locations
}

func marshalled(t *testing.T, loc []any) string {
	t.Helper()
	text, err := json.Marshal(loc)
	require.NoError(t, err)
	return string(text)
}
