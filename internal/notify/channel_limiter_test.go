package notify

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestLanes(t *testing.T) {
	t.Parallel()

	t.Run("EachChannelHasItsShare", func(t *testing.T) {
		t.Parallel()
		l := newLanes()
		busy, idle := uuid.New(), uuid.New()
		for range laneWidth {
			require.True(t, l.enter(t.Context(), busy))
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.False(t, l.enter(ended, busy), "full")
		require.True(t, l.enter(t.Context(), idle))
	})

	t.Run("WhoWaitsGetsTheTurnOfWhoLeaves", func(t *testing.T) {
		t.Parallel()
		l := newLanes()
		id := uuid.New()
		for range laneWidth {
			require.True(t, l.enter(t.Context(), id))
		}
		turn, entered := l.tryEnter(id)
		require.False(t, entered)
		l.leave(id, false, 0)
		select {
		case <-turn:
		case <-time.After(time.Minute):
			require.Fail(t, "no turn")
		}
	})

	t.Run("TroubleNarrowsAndSuccessWidens", func(t *testing.T) {
		t.Parallel()
		l := newLanes()
		id := uuid.New()
		require.True(t, l.enter(t.Context(), id))
		l.leave(id, true, 0)
		for range troubledWidth {
			require.True(t, l.enter(t.Context(), id))
		}
		require.False(t, l.enter(t.Context(), id), "nobody waits for a channel in trouble")
		l.leave(id, false, 0)
		require.True(t, l.enter(t.Context(), id))
	})

	t.Run("AnswersThatTakeTheirTimeWiden", func(t *testing.T) {
		t.Parallel()
		l := newLanes()
		id := uuid.New()
		require.True(t, l.enter(t.Context(), id)) // keeps the lane
		for range maxLaneWidth {
			require.True(t, l.enter(t.Context(), id))
			l.leave(id, false, time.Second)
		}
		for range maxLaneWidth - 1 {
			_, entered := l.tryEnter(id)
			require.True(t, entered)
		}
		_, entered := l.tryEnter(id)
		require.False(t, entered)
	})

	t.Run("ChannelsInTroubleShareHalfOfTheWorkers", func(t *testing.T) {
		t.Parallel()
		l := newLanes()
		running := 0
		for range workers {
			id := uuid.New()
			require.True(t, l.enter(t.Context(), id))
			l.leave(id, true, 0)
		}
		for id := range l.lanes {
			for l.enter(t.Context(), id) {
				running++
			}
		}
		require.Equal(t, maxTroubled, running)
		require.True(t, l.enter(t.Context(), uuid.New()), "the others have the rest")
	})

	t.Run("NothingIsLeftBehind", func(t *testing.T) {
		t.Parallel()
		l := newLanes()
		ids := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
		var group sync.WaitGroup
		for i := range 2000 {
			group.Go(func() {
				id := ids[i%len(ids)]
				if l.enter(t.Context(), id) {
					l.leave(id, i%7 == 0, 0)
				}
			})
		}
		group.Wait()
		for _, id := range ids {
			for range 2 {
				require.True(t, l.enter(t.Context(), id))
				l.leave(id, false, 0)
			}
		}
		require.Empty(t, l.lanes)
		require.Zero(t, l.troubled)
	})
}
