package ratelimit

import (
	"context"
	"log/slog"
	"time"
)

// NewLocalAt returns a limiter with that clock.
func NewLocalAt(clock func() time.Duration) *Local { return newLocal(clock) }

// NewSharedWithTimeout returns a limiter that asks Redis for that long.
func NewSharedWithTimeout(ctx context.Context, address string, timeout time.Duration, logger *slog.Logger) (*Shared, error) {
	return newShared(ctx, address, timeout, logger)
}

// Subjects tells how many subjects the limiter remembers.
func (l *Local) Subjects() int { return len(l.windows) }

// Asks tells whether the limiter asks Redis, as far as it knows.
func Asks(s *Shared) bool { return !s.away.Load() }
