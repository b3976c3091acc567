package main

import (
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"
)

// Mixes of events.
const (
	mixEnd  = "end"  // a deployment is reported when it has ended
	mixPair = "pair" // a deployment is reported when it starts and when it has ended
)

// source returns the next deployment; ok is false at its end.
type source func() (d deployment, ok bool)

// stream generates the requests of one connection.
type stream struct {
	next    source
	mix     string
	running *deployment // reported as started, not yet as completed
	body    []byte
	buffer  []byte
}

// request returns the next request, in a buffer that the next call reuses. The stream ends when the source does.
func (s *stream) request(now time.Time) ([]byte, bool) {
	current, status := s.running, "completed"
	s.running = nil
	if current == nil {
		d, ok := s.next()
		if !ok {
			return nil, false
		}
		current = &d
		if s.mix == mixPair {
			s.running, status = current, "started"
		}
	}
	s.body = current.appendEvent(s.body[:0], status, now)
	s.buffer = append(s.buffer[:0], current.tenant.head...)
	s.buffer = strconv.AppendInt(s.buffer, int64(len(s.body)), 10)
	s.buffer = append(s.buffer, "\r\n\r\n"...)
	s.buffer = append(s.buffer, s.body...)
	return s.buffer, true
}

// runIDs numbers the runs of workflows.
type runIDs struct{ last atomic.Int64 }

func newRunIDs() *runIDs {
	ids := &runIDs{}
	ids.last.Store(16_421_337_842)
	return ids
}

func (r *runIDs) next() int64 { return r.last.Add(1) }

// randomStreams choose tenants and pairs at random, from fixed seeds.
func randomStreams(connections int, tenants []*tenant, mix string, ids *runIDs) []*stream {
	streams := make([]*stream, connections)
	seed := uint64(ids.next()) //nolint:gosec // positive
	for i := range streams {
		random := rand.New(rand.NewPCG(seed, uint64(i))) //nolint:gosec // not a secret
		streams[i] = &stream{mix: mix, next: func() (deployment, bool) {
			t := tenants[random.IntN(len(tenants))]
			return t.deploy(random.IntN(products), random.IntN(environments), ids.next()), true
		}}
	}
	return streams
}

// seedStreams deploy every pair of every tenant once, and end.
func seedStreams(connections int, tenants []*tenant, ids *runIDs) []*stream {
	var count atomic.Int64
	streams := make([]*stream, connections)
	for i := range streams {
		streams[i] = &stream{mix: mixEnd, next: func() (deployment, bool) {
			n := int(count.Add(1)) - 1
			if n >= pairs*len(tenants) {
				return deployment{}, false
			}
			return tenants[n/pairs].deploy(n%pairs/environments, n%environments, ids.next()), true
		}}
	}
	return streams
}
