package notify

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	laneWidth     = 4 // deliveries to one channel at the same time, to begin with: those under way are sent again after a crash
	maxLaneWidth  = 32
	quickAnswer   = 50 * time.Millisecond // with answers that take longer it takes more at the same time to keep up
	troubledWidth = 2                     // while the channel fails or is slow
	laneQueue     = 64                    // deliveries that may wait in the process for their turn
	laneWait      = time.Second           // and for how long
	slowAnswer    = 2 * time.Second       // what takes longer keeps others waiting
	maxTroubled   = workers / 2           // deliveries to troubled channels at the same time, all together
)

// lanes give every channel its share of the workers, so that one that hangs or fails never delays another.
type lanes struct {
	mu       sync.Mutex
	lanes    map[uuid.UUID]*lane
	troubled int // running on troubled lanes
}

type lane struct {
	width    int
	running  int
	troubled bool
	waiting  []chan struct{} // closed when it is their turn
}

func newLanes() *lanes { return &lanes{lanes: make(map[uuid.UUID]*lane)} }

// enter reports whether a delivery to the channel may run now; whoever enters must leave. On a lane without trouble it
// waits a moment for its turn.
func (l *lanes) enter(ctx context.Context, channel uuid.UUID) bool {
	turn, entered := l.tryEnter(channel)
	if entered || turn == nil {
		return entered
	}
	timeout := time.NewTimer(laneWait)
	defer timeout.Stop()
	select {
	case <-turn:
		return true
	case <-timeout.C:
	case <-ctx.Done():
	}
	return l.giveUp(channel, turn)
}

// tryEnter returns a turn to wait for when the lane is full but moving.
func (l *lanes) tryEnter(channel uuid.UUID) (turn chan struct{}, entered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	way := l.lanes[channel]
	if way == nil {
		way = &lane{width: laneWidth}
		l.lanes[channel] = way
	}
	switch {
	case way.running < way.width && (!way.troubled || l.troubled < maxTroubled):
		l.admit(way)
		return nil, true
	case way.troubled || len(way.waiting) >= laneQueue:
		return nil, false
	default:
		turn = make(chan struct{})
		way.waiting = append(way.waiting, turn)
		return turn, false
	}
}

func (l *lanes) admit(way *lane) {
	way.running++
	if way.troubled {
		l.troubled++
	}
}

// giveUp reports whether the turn had come after all.
func (l *lanes) giveUp(channel uuid.UUID, turn chan struct{}) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	way := l.lanes[channel]
	for i, waiting := range way.waiting {
		if waiting == turn {
			way.waiting = append(way.waiting[:i], way.waiting[i+1:]...)
			return false
		}
	}
	return true
}

// leave makes room, and learns from how it went: trouble narrows the lane at once, answers that take their time widen it.
func (l *lanes) leave(channel uuid.UUID, trouble bool, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	way := l.lanes[channel]
	way.running--
	if way.troubled {
		l.troubled--
	}
	switch {
	case trouble && !way.troubled:
		way.troubled, way.width = true, troubledWidth
		l.troubled += way.running
	case !trouble && way.troubled:
		way.troubled, way.width = false, laneWidth
		l.troubled -= way.running
	case !trouble && took > quickAnswer:
		way.width = min(way.width+1, maxLaneWidth)
	}
	for len(way.waiting) > 0 && way.running < way.width {
		close(way.waiting[0])
		way.waiting = way.waiting[1:]
		l.admit(way)
	}
	if way.running == 0 && len(way.waiting) == 0 && !way.troubled {
		delete(l.lanes, channel)
	}
}
