package fairqueue

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestQueueGivesEachAccountItsTurn(t *testing.T) {
	t.Parallel()
	one, other, third := uuid.New(), uuid.New(), uuid.New()
	q := New[string](10)
	for _, item := range []string{"1a", "1b", "1c", "1d"} {
		requireRoom(t, q, one, item)
	}
	requireRoom(t, q, other, "2a")
	requireRoom(t, q, other, "2b")
	requireRoom(t, q, third, "3a")
	require.Equal(t, []string{"1a", "2a", "3a", "1b", "2b", "1c", "1d"}, drain(q))
	requireRoom(t, q, third, "3b")
	require.Equal(t, []string{"3b"}, drain(q))
}

func TestFullQueueTurnsAwayWhoHasMost(t *testing.T) {
	t.Parallel()
	greedy, other := uuid.New(), uuid.New()
	q := New[string](4)
	for _, item := range []string{"g1", "g2", "g3", "g4"} {
		requireRoom(t, q, greedy, item)
	}
	for _, push := range []struct {
		account    uuid.UUID
		item, away string
	}{
		{greedy, "g5", "g5"},
		{other, "o1", "g4"},
		{other, "o2", "g3"},
		{other, "o3", "o3"}, // now both have as many
		{greedy, "g6", "g6"},
	} {
		away, isFull := q.Push(push.account, push.item)
		require.True(t, isFull)
		require.Equal(t, push.away, away, "pushing %s", push.item)
	}
	require.Equal(t, []string{"g1", "o1", "g2", "o2"}, drain(q))
}

func TestTryPopOfPassesOverTheOthers(t *testing.T) {
	t.Parallel()
	busy, other := uuid.New(), uuid.New()
	q := New[string](10)
	for _, item := range []string{"b1", "b2"} {
		requireRoom(t, q, busy, item)
	}
	for _, item := range []string{"o1", "o2"} {
		requireRoom(t, q, other, item)
	}
	notBusy := func(account uuid.UUID) bool { return account != busy }
	for _, want := range []string{"o1", "o2"} {
		item, ok := q.TryPopOf(notBusy)
		require.True(t, ok)
		require.Equal(t, want, item)
	}
	_, ok := q.TryPopOf(notBusy)
	require.False(t, ok)
	require.Equal(t, []string{"b1", "b2"}, drain(q))
}

// TestQueueLosesNothing pushes and pops in any order: each item comes out once, in its account's order, or was turned away.
func TestQueueLosesNothing(t *testing.T) {
	t.Parallel()
	type item struct{ account, number int }
	accounts := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	rapid.Check(t, func(t *rapid.T) {
		q := New[item](rapid.IntRange(1, 8).Draw(t, "length"))
		var pushed, seen []item
		last := make(map[int]int)
		pop := func() {
			next, ok := q.TryPop()
			if !ok {
				return
			}
			if next.number <= last[next.account] {
				t.Fatalf("%v after %d", next, last[next.account])
			}
			last[next.account] = next.number
			seen = append(seen, next)
		}
		for number, account := range rapid.SliceOf(rapid.IntRange(-1, len(accounts)-1)).Draw(t, "steps") {
			switch {
			case account >= 0:
				next := item{account, number + 1}
				pushed = append(pushed, next)
				if away, isFull := q.Push(accounts[account], next); isFull {
					seen = append(seen, away)
				}
			default:
				pop()
			}
		}
		for len(q.waits) > 0 {
			pop()
		}
		slices.SortFunc(seen, func(one, other item) int { return one.number - other.number })
		require.Equal(t, pushed, seen)
		require.Empty(t, q.accounts)
		require.Empty(t, q.turns)
	})
}

func requireRoom(t *testing.T, q *Queue[string], account uuid.UUID, item string) {
	t.Helper()
	_, isFull := q.Push(account, item)
	require.False(t, isFull)
}

func drain(q *Queue[string]) []string {
	var items []string
	for len(q.waits) > 0 {
		<-q.Waits()
		items = append(items, q.Pop())
	}
	return items
}
