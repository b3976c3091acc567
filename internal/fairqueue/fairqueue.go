// Package fairqueue is a bounded per-account round-robin queue: an item of one account waits for at most one item of every other
// account before each of its own, however many those have queued.
package fairqueue

import (
	"slices"
	"sync"

	"github.com/google/uuid"
)

// Queue is safe for concurrent use.
type Queue[T any] struct {
	ready chan struct{} // one for each item

	mu       sync.Mutex
	accounts map[uuid.UUID][]T
	rotation []uuid.UUID // the accounts that have items, the next one first
}

// New returns a queue of at most length items.
func New[T any](length int) *Queue[T] {
	return &Queue[T]{ready: make(chan struct{}, length), accounts: make(map[uuid.UUID][]T)}
}

// Enqueue adds an item. A full queue evicts the newest item of the account that has most, which may be the added one.
func (q *Queue[T]) Enqueue(account uuid.UUID, item T) (evicted T, isFull bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
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
		evicted, q.accounts[longest] = items[last], items[:last]
	}
	if len(q.accounts[account]) == 0 {
		q.rotation = append(q.rotation, account)
	}
	q.accounts[account] = append(q.accounts[account], item)
	return evicted, isFull
}

// Ready permits its receiver to Dequeue one item.
func (q *Queue[T]) Ready() <-chan struct{} { return q.ready }

// Dequeue returns the next item. Only a receiver from Ready may call it.
func (q *Queue[T]) Dequeue() T {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dequeueAt(0)
}

// TryDequeue returns the next item, if there is one.
func (q *Queue[T]) TryDequeue() (item T, ok bool) {
	return q.TryDequeueWhere(func(uuid.UUID) bool { return true })
}

// TryDequeueWhere returns the next item of the eligible accounts, if there is one. The others keep their place in the rotation.
func (q *Queue[T]) TryDequeueWhere(isEligible func(account uuid.UUID) bool) (item T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	position := slices.IndexFunc(q.rotation, isEligible)
	if position < 0 {
		return item, false
	}
	select {
	case <-q.ready:
		return q.dequeueAt(position), true
	default: // another goroutine has received for each item and is about to dequeue it
		return item, false
	}
}

// Remove takes the first matching item of an account out of the queue and reports whether there was one.
func (q *Queue[T]) Remove(account uuid.UUID, matches func(T) bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.accounts[account]
	index := slices.IndexFunc(items, matches)
	if index < 0 {
		return false
	}
	select {
	case <-q.ready:
	default: // another goroutine has received for each item and is about to dequeue it
		return false
	}
	if len(items) > 1 {
		q.accounts[account] = slices.Delete(items, index, index+1)
		return true
	}
	delete(q.accounts, account)
	q.rotation = slices.DeleteFunc(q.rotation, func(other uuid.UUID) bool { return other == account })
	return true
}

// dequeueAt returns the next item of the account at that position of the rotation.
func (q *Queue[T]) dequeueAt(position int) T {
	account := q.rotation[position]
	q.rotation = slices.Delete(q.rotation, position, position+1)
	items := q.accounts[account]
	if len(items) > 1 {
		q.accounts[account] = items[1:]
		q.rotation = append(q.rotation, account)
	} else {
		delete(q.accounts, account)
	}
	return items[0]
}
