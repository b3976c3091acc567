package ratelimit

import (
	"context"
	"log/slog"
	"time"
)

// NewLocalAt returns a limiter with that clock.
func NewLocalAt(clock func() time.Duration) *Local { return newLocal(clock) }

// NewSharedWithTimeout returns a limiter with that timeout for requests to Redis.
func NewSharedWithTimeout(ctx context.Context, address string, timeout time.Duration, logger *slog.Logger) (*Shared, error) {
	return newShared(ctx, address, timeout, logger)
}

// Subjects returns the number of subjects that the limiter counts.
func (l *Local) Subjects() int { return len(l.windows) }

// IsAvailable reports whether the limiter considers Redis available.
func IsAvailable(s *Shared) bool { return !s.unavailable.Load() }
