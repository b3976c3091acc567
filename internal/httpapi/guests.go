package httpapi

import (
	"errors"
	"hash/maphash"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
)

// maxGuests is how many credentials are remembered.
const maxGuests = 50_000

// guests remembers whose the credentials were that people came with last. It says nothing of whether they are valid still:
// it is there to know whose turn a request takes.
type guests struct {
	seed maphash.Seed

	mu    sync.Mutex
	known map[uint64]guest
}

type guest struct {
	account      uuid.UUID
	slug, user   string
	limitedUntil time.Time // when they may send requests again, of which they have sent too many
}

func newGuests() *guests {
	return &guests{seed: maphash.MakeSeed(), known: make(map[uint64]guest)}
}

// credential stands for all that a request may carry one in.
func (g *guests) credential(header http.Header) uint64 {
	var hash maphash.Hash
	hash.SetSeed(g.seed)
	for _, name := range []string{"Authorization", "Cookie"} {
		for _, value := range header[name] {
			_, _ = hash.WriteString(value) // it never fails
			_ = hash.WriteByte('\n')
		}
	}
	return hash.Sum64()
}

func (g *guests) find(credential uint64) (known guest, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	known, ok = g.known[credential]
	return known, ok
}

// note remembers whose a credential is, and how their last request ended; one that is nobody's is forgotten.
func (g *guests) note(credential uint64, principal authn.Principal, outcome error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !principal.IsPerson() {
		delete(g.known, credential)
		return
	}
	if len(g.known) >= maxGuests {
		clear(g.known)
	}
	known := guest{account: principal.AccountID, slug: principal.AccountSlug, user: principal.UserID.String()}
	if limited, ok := errors.AsType[*apperr.Error](outcome); ok {
		known.limitedUntil = time.Now().Add(limited.RetryAfter) // zero for other errors
	}
	g.known[credential] = known
}
