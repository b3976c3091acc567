package httpapi

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
)

// scopeOf is that of a request for a list.
func scopeOf(account uuid.UUID, operation, q string, limit *int, cursor *string) listScope {
	return listScope{account: account, operation: operation, request: apigen.ListProductsRequestObject{
		Params: apigen.ListProductsParams{Q: &q, Limit: limit, Cursor: cursor},
	}}
}

// FuzzCursor verifies that a cursor is decoded to its position, and that any other text is rejected.
func FuzzCursor(f *testing.F) {
	f.Add("", int64(0), []byte{1}, "")
	f.Add(strings.Repeat("A", 96), int64(1<<60), []byte("0123456789abcdef"), strings.Repeat("\U0001F680", 255))
	lists := cursorCodec{keys: [][]byte{[]byte("key")}}
	account := uuid.New()
	f.Fuzz(func(t *testing.T, text string, micros int64, id []byte, name string) {
		scope := scopeOf(account, "listThings", "x", nil, nil)
		if at, err := lists.decode(scope, text); err == nil {
			t.Fatalf("%q was accepted: %v", text, at)
		} else if apperr.CodeOf(err) != apperr.Invalid {
			t.Fatal(err)
		}
		want := keyset{at: time.UnixMicro(micros).UTC(), id: uuid.NewSHA1(uuid.Nil, id), first: uuid.NewSHA1(uuid.Max, id), name: name}
		cursor, err := lists.encode(scope, want)
		if err != nil {
			t.Fatal(err)
		}
		if utf8.RuneCountInString(name) <= 255 && len(cursor) > 1456 {
			t.Fatal("longer than specified")
		}
		got, err := lists.decode(scopeOf(account, "listThings", "x", new(7), &cursor), cursor)
		if err != nil || *got != want {
			t.Fatalf("%v became %v: %v", want, got, err)
		}
		for _, other := range []listScope{
			scopeOf(uuid.New(), "listThings", "x", nil, nil), scopeOf(account, "listOthers", "x", nil, nil), scopeOf(account, "listThings", "y", nil, nil),
			{account: account, operation: "listThings", request: apigen.ListReleaseVersionsRequestObject{ID: uuid.New()}},
		} {
			if _, err := lists.decode(other, cursor); err == nil {
				t.Fatal("a cursor of one list was accepted by another")
			}
		}
	})
}
