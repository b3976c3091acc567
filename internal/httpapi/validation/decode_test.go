package validation

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
)

func TestStoredSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`{}`: 2, `[]`: 2, `{"a":1}`: 7, `{"a":1,"b":[1,2]}`: 17, `"é"`: 4, `"\u00e9\u0041"`: 5, `"\u0001\n"`: 10, `[1e10]`: 16, `[1e-10]`: 17, "\n{ \"a\" : \"b\" }": 9,
	} {
		require.Equal(t, want, storedSize([]byte(text)), text)
	}
}

// FuzzDecodeJSON holds the strict decoder against the standard one: whatever it accepts is JSON, and means the same.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"x\u0041",null,true]}`, `{"a":1,"a":2}`, `[1] x`, "\xff", `"\ud800"`, `1e400`, `"\u0000"`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		value, size, err := decodeJSON(body)
		if err != nil {
			if code := apperr.CodeOf(err); code != apperr.MalformedJSON && code != apperr.Invalid {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		var want any
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("%q was accepted: %v", body, err)
		}
		require.Equal(t, want, value)
		require.LessOrEqual(t, storedSize(body), size)
	})
}

// TestDecodeJSONLocatesProblems reports names as text, and positions in lists as numbers.
func TestDecodeJSONLocatesProblems(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]any{
		`"\u0000"`:                       {"body"},
		`[0,[1e999]]`:                    {"body", 1, 0},
		`{"a":[{},{"0":{"b/~":1e999}}]}`: {"body", "a", 1, "0", "b/~"},
		`{"a":{"b":1,"\u0000":[]}}`:      {"body", "a", "\x00"},
		`{"a":[[{"b":1,"b":2}]]}`:        {"body", "a", 0, 0, "b"},
	} {
		_, _, err := decodeJSON([]byte(body))
		failure, ok := errors.AsType[*apperr.Error](err)
		require.True(t, ok, body)
		require.Len(t, failure.Fields, 1, body)
		require.Equal(t, want, failure.Fields[0].Loc, body)
	}
}
