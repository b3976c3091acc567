// Package fairqueue is a line in which accounts take turns: whatever one of them sends, the others wait for one of its items
// each time, not for all.
package fairqueue

import (
	"slices"
	"sync"

	"github.com/google/uuid"
)

// Queue holds so many items at most.
type Queue[T any] struct {
	waits chan struct{} // holds one for each item

	mu       sync.Mutex
	accounts map[uuid.UUID][]T
	turns    []uuid.UUID // the accounts that have items, the next one first
}

// New returns a queue with room for so many items.
func New[T any](length int) *Queue[T] {
	return &Queue[T]{waits: make(chan struct{}, length), accounts: make(map[uuid.UUID][]T)}
}

// Push returns what there is no room for, if there is not: the item, or the newest one of an account that has more of them.
func (q *Queue[T]) Push(account uuid.UUID, item T) (turnedAway T, isFull bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case q.waits <- struct{}{}:
	default:
		isFull = true
		longest := account
		for other, items := range q.accounts {
			if len(items) > max(len(q.accounts[longest]), len(q.accounts[account])+1) {
				longest = other
			}
		}
		if longest == account {
			return item, isFull
		}
		items := q.accounts[longest]
		last := len(items) - 1
		turnedAway, q.accounts[longest] = items[last], items[:last]
	}
	if len(q.accounts[account]) == 0 {
		q.turns = append(q.turns, account)
	}
	q.accounts[account] = append(q.accounts[account], item)
	return turnedAway, isFull
}

// Waits lets its receiver Pop one item.
func (q *Queue[T]) Waits() <-chan struct{} { return q.waits }

// Pop returns the next item. Only who has received from Waits may call it.
func (q *Queue[T]) Pop() T {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.take(0)
}

// TryPop returns the next item, if there is one.
func (q *Queue[T]) TryPop() (item T, ok bool) {
	return q.TryPopOf(func(uuid.UUID) bool { return true })
}

// TryPopOf returns the next item of those accounts, if there is one. The others keep their turns.
func (q *Queue[T]) TryPopOf(may func(account uuid.UUID) bool) (item T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	turn := slices.IndexFunc(q.turns, may)
	if turn < 0 {
		return item, false
	}
	select {
	case <-q.waits:
		return q.take(turn), true
	default: // each item is about to be popped by somebody else
		return item, false
	}
}

// take returns the next item of the account whose turn that is.
func (q *Queue[T]) take(turn int) T {
	account := q.turns[turn]
	q.turns = slices.Delete(q.turns, turn, turn+1)
	items := q.accounts[account]
	if len(items) > 1 {
		q.accounts[account] = items[1:]
		q.turns = append(q.turns, account)
	} else {
		delete(q.accounts, account)
	}
	return items[0]
}
