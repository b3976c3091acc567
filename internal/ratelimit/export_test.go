package ratelimit

import "time"

// NewLocalAt returns a limiter with that clock.
func NewLocalAt(clock func() time.Duration) *Local { return newLocal(clock) }

// Subjects tells how many subjects the limiter remembers.
func (l *Local) Subjects() int { return len(l.windows) }

// Asks tells whether the limiter asks Redis, as far as it knows.
func Asks(s *Shared) bool { return !s.away.Load() }
