package fairqueue

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAccountsTakeTurns(t *testing.T) {
	t.Parallel()
	one, other, third := uuid.New(), uuid.New(), uuid.New()
	q := New[string](10)
	for _, item := range []string{"1a", "1b", "1c", "1d"} {
		enqueue(t, q, one, item)
	}
	enqueue(t, q, other, "2a")
	enqueue(t, q, other, "2b")
	enqueue(t, q, third, "3a")
	require.Equal(t, []string{"1a", "2a", "3a", "1b", "2b", "1c", "1d"}, drain(q))
	enqueue(t, q, third, "3b")
	require.Equal(t, []string{"3b"}, drain(q))
}

func TestFullQueueEvictsFromTheLongestAccount(t *testing.T) {
	t.Parallel()
	greedy, other := uuid.New(), uuid.New()
	q := New[string](4)
	for _, item := range []string{"g1", "g2", "g3", "g4"} {
		enqueue(t, q, greedy, item)
	}
	for _, push := range []struct {
		account       uuid.UUID
		item, evicted string
	}{
		{greedy, "g5", "g5"},
		{other, "o1", "g4"},
		{other, "o2", "g3"},
		{other, "o3", "o3"}, // both have as many
		{greedy, "g6", "g6"},
	} {
		evicted, isFull := q.Enqueue(push.account, push.item)
		require.True(t, isFull)
		require.Equal(t, push.evicted, evicted, "enqueueing %s", push.item)
	}
	require.Equal(t, []string{"g1", "o1", "g2", "o2"}, drain(q))
}

func TestTryDequeueWhereSkipsOtherAccounts(t *testing.T) {
	t.Parallel()
	busy, other := uuid.New(), uuid.New()
	q := New[string](10)
	for _, item := range []string{"b1", "b2"} {
		enqueue(t, q, busy, item)
	}
	for _, item := range []string{"o1", "o2"} {
		enqueue(t, q, other, item)
	}
	notBusy := func(account uuid.UUID) bool { return account != busy }
	for _, want := range []string{"o1", "o2"} {
		item, ok := q.TryDequeueWhere(notBusy)
		require.True(t, ok)
		require.Equal(t, want, item)
	}
	_, ok := q.TryDequeueWhere(notBusy)
	require.False(t, ok)
	require.Equal(t, []string{"b1", "b2"}, drain(q))
}

// TestNoItemIsLost enqueues, dequeues and removes in any order: each item leaves once, in the order of its account, or is evicted.
func TestNoItemIsLost(t *testing.T) {
	t.Parallel()
	type item struct{ account, number int }
	accounts := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	rapid.Check(t, func(t *rapid.T) {
		q := New[item](rapid.IntRange(1, 8).Draw(t, "length"))
		var enqueued, seen []item
		last := make(map[int]int)
		dequeue := func() {
			next, ok := q.TryDequeue()
			if !ok {
				return
			}
			if next.number <= last[next.account] {
				t.Fatalf("%v after %d", next, last[next.account])
			}
			last[next.account] = next.number
			seen = append(seen, next)
		}
		for number, account := range rapid.SliceOf(rapid.IntRange(-2, len(accounts)-1)).Draw(t, "steps") {
			switch {
			case account >= 0:
				next := item{account, number + 1}
				enqueued = append(enqueued, next)
				if evicted, isFull := q.Enqueue(accounts[account], next); isFull {
					seen = append(seen, evicted)
				}
			case account == -1:
				dequeue()
			default:
				removed := item{number % len(accounts), number / 2}
				if q.Remove(accounts[removed.account], func(other item) bool { return other == removed }) {
					seen = append(seen, removed)
				}
			}
		}
		for len(q.ready) > 0 {
			dequeue()
		}
		slices.SortFunc(seen, func(one, other item) int { return one.number - other.number })
		require.Equal(t, enqueued, seen)
		require.Empty(t, q.accounts)
		require.Empty(t, q.rotation)
	})
}

func enqueue(t *testing.T, q *Queue[string], account uuid.UUID, item string) {
	t.Helper()
	_, isFull := q.Enqueue(account, item)
	require.False(t, isFull)
}

func drain(q *Queue[string]) []string {
	var items []string
	for len(q.ready) > 0 {
		<-q.Ready()
		items = append(items, q.Dequeue())
	}
	return items
}
