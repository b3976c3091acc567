package admission

import (
	"sync"

	"github.com/google/uuid"
)

// ByteBudget bounds the bytes that requests keep in memory: at most limit in total and half of that for one account.
type ByteBudget struct {
	limit           int64
	perAccountLimit int64

	mu     sync.Mutex
	used   int64
	usedBy map[uuid.UUID]int64
}

// NewByteBudget returns a budget of the given number of bytes.
func NewByteBudget(limit int64) *ByteBudget {
	return &ByteBudget{limit: limit, perAccountLimit: limit / 2, usedBy: make(map[uuid.UUID]int64)}
}

// TryReserve takes bytes for an account and reports whether the budget has them.
func (b *ByteBudget) TryReserve(account uuid.UUID, bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+bytes > b.limit || b.usedBy[account]+bytes > b.perAccountLimit {
		return false
	}
	b.used += bytes
	b.usedBy[account] += bytes
	return true
}

// Release gives back bytes that were reserved.
func (b *ByteBudget) Release(account uuid.UUID, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= bytes
	if b.usedBy[account] -= bytes; b.usedBy[account] == 0 {
		delete(b.usedBy, account)
	}
}
