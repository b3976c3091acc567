package httpapi

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/logctx"
)

// listContext is that of a request for a list.
func listContext(account uuid.UUID, operation, query string) context.Context {
	values, _ := url.ParseQuery(query)
	ctx := authn.WithPrincipal(context.Background(), authn.Principal{AccountID: account})
	return logctx.With(ctx, &logctx.Request{Operation: operation, Path: "/x/", Query: values})
}

// FuzzCursor verifies that a cursor is decoded to its position, and that any other text is rejected.
func FuzzCursor(f *testing.F) {
	f.Add("", int64(0), []byte{1})
	f.Add(strings.Repeat("A", 96), int64(1<<60), []byte("0123456789abcdef"))
	lists := pager{key: []byte("key")}
	account := uuid.New()
	f.Fuzz(func(t *testing.T, text string, micros int64, id []byte) {
		ctx := listContext(account, "listThings", "q=x")
		if at, err := lists.decode(ctx, text); err == nil {
			t.Fatalf("%q was accepted: %v", text, at)
		} else if apperr.CodeOf(err) != apperr.Invalid {
			t.Fatal(err)
		}
		want := position{at: time.UnixMicro(micros).UTC(), id: uuid.NewSHA1(uuid.Nil, id), first: uuid.NewSHA1(uuid.Max, id)}
		cursor := lists.encode(ctx, want)
		if len(cursor) > 512 {
			t.Fatal("longer than specified")
		}
		got, err := lists.decode(listContext(account, "listThings", "q=x&limit=7&cursor="+cursor), cursor)
		if err != nil || *got != want {
			t.Fatalf("%v became %v: %v", want, got, err)
		}
		for _, other := range []context.Context{
			listContext(uuid.New(), "listThings", "q=x"), listContext(account, "listOthers", "q=x"), listContext(account, "listThings", "q=y"),
		} {
			if _, err := lists.decode(other, cursor); err == nil {
				t.Fatal("a cursor of one list was accepted by another")
			}
		}
	})
}
