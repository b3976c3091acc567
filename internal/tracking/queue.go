package tracking

import (
	"sync"

	"github.com/google/uuid"
)

// queue holds what waits, of all accounts, and gives it out one of each account in turn: whatever one of them sends, the
// others wait for one of its events each time, not for all.
type queue[T any] struct {
	waits chan struct{} // holds one for each that waits

	mu       sync.Mutex
	accounts map[uuid.UUID][]T
	turns    []uuid.UUID // the accounts that have something waiting, the next one first
}

func newQueue[T any](length int) *queue[T] {
	return &queue[T]{waits: make(chan struct{}, length), accounts: make(map[uuid.UUID][]T)}
}

// push returns what there is no room for, if there is not: the item, or the newest one of an account that has more waiting.
func (q *queue[T]) push(account uuid.UUID, item T) (turnedAway T, isFull bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case q.waits <- struct{}{}:
	default:
		isFull = true
		longest := account
		for other, waiting := range q.accounts {
			if len(waiting) > max(len(q.accounts[longest]), len(q.accounts[account])+1) {
				longest = other
			}
		}
		if longest == account {
			return item, isFull
		}
		waiting := q.accounts[longest]
		last := len(waiting) - 1
		turnedAway, q.accounts[longest] = waiting[last], waiting[:last]
	}
	if len(q.accounts[account]) == 0 {
		q.turns = append(q.turns, account)
	}
	q.accounts[account] = append(q.accounts[account], item)
	return turnedAway, isFull
}

// pop returns the next one. Who calls it has received from waits before.
func (q *queue[T]) pop() T {
	q.mu.Lock()
	defer q.mu.Unlock()
	account := q.turns[0]
	q.turns = q.turns[1:]
	waiting := q.accounts[account]
	if len(waiting) > 1 {
		q.accounts[account] = waiting[1:]
		q.turns = append(q.turns, account)
	} else {
		delete(q.accounts, account)
	}
	return waiting[0]
}
