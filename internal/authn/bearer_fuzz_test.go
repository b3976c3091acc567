package authn

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/versioner-io/versioner/internal/apperr"
)

// FuzzBearer reads the token back out of the header that it was taken from.
func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"Bearer x", "bearer  x", "Basic x", "Bearer", "Bearer ", "BEARER a b", "\tBearer x", "Bearer\nx \r\n", "Bearerx", ""} {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, value string, twice bool) {
		header := http.Header{"Authorization": {value}}
		if twice {
			header.Add("Authorization", value)
		}
		token, err := bearer(header)
		switch {
		case err != nil && apperr.CodeOf(err) != apperr.Unauthenticated:
			t.Fatalf("%q: %v", value, err)
		case err == nil && (twice || token == "" || token != strings.TrimSpace(token)):
			t.Fatalf("%q was read as %q", value, token)
		case err == nil:
			if before, ok := strings.CutSuffix(strings.TrimSpace(value), token); !ok || !strings.EqualFold(strings.TrimSpace(before), "Bearer") {
				t.Fatalf("%q was read as %q", value, token)
			}
		}
	})
}

// FuzzJWT accepts nothing that was not signed.
func FuzzJWT(f *testing.F) {
	dev, err := LoadDevSigner(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	genuine, err := dev.Token("acme", "ada", "admin", time.Now(), time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	tokens, err := NewJWTs([]Issuer{dev.Issuer()}, nil, http.DefaultClient, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		genuine, genuine[:len(genuine)-1], strings.ToUpper(genuine), "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "..", "e30.e30.e30", strings.Repeat("a.", 5000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if token == genuine {
			return
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header["Authorization"] = []string{"Bearer " + token}
		if _, err := tokens.JWTAuth(t.Context(), request); apperr.CodeOf(err) != apperr.Unauthenticated {
			t.Fatalf("%q: %v", token, err)
		}
	})
}
