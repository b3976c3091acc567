package ratelimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	redisTimeout  = 30 * time.Millisecond // of a request, for calling Redis
	probeInterval = time.Second
	connections   = 16
)

// probe is what a Redis has to count before it is trusted with requests: one that only reads, or has no memory left, or
// takes too long, answers all the same.
var probe = Quota{Subject: "probe", Limit: 1, Window: time.Minute} //nolint:gochecknoglobals // a constant

//go:embed take.lua
var takeLua string

//nolint:gochecknoglobals // a constant
var takeScript = redis.NewScript(takeLua)

// Shared counts in Redis or Valkey, together with every other server. While that is unavailable or slow each server counts for
// itself: requests are never refused or delayed for it.
type Shared struct {
	client      *redis.Client
	timeout     time.Duration // of calling Redis
	local       *Local
	logger      *slog.Logger
	unavailable atomic.Bool
	ctx         context.Context //nolint:containedctx // of the search for an available Redis, which no request waits for
	stop        context.CancelFunc
}

// NewShared reads redis://user:password@host:6379/0 or rediss://. The error never repeats the password. Until Redis has
// answered for the first time it counts as unavailable.
func NewShared(ctx context.Context, address string, logger *slog.Logger) (*Shared, error) {
	return newShared(ctx, address, redisTimeout, logger)
}

func newShared(ctx context.Context, address string, timeout time.Duration, logger *slog.Logger) (*Shared, error) {
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, errors.New("REDIS_URL cannot be read: use redis://user:password@host:6379/0 or rediss://")
	}
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1
	options.PoolSize, options.MinIdleConns = connections, connections // made before they are needed: the timeout is for an answer
	s := &Shared{client: redis.NewClient(options), timeout: timeout, local: NewLocal(), logger: logger}
	s.ctx, s.stop = context.WithCancel(ctx)
	s.unavailable.Store(true)
	go s.probeUntilAvailable(s.ctx, 0) //nolint:contextcheck // it outlives the request
	return s, nil
}

// SetLibraryLogger redirects the messages of the Redis library, which writes plain text to standard error otherwise. It applies to
// the whole process.
func SetLibraryLogger(logger *slog.Logger) { redis.SetLogger(libraryLogger{logger}) }

// libraryLogger makes the library's messages debug lines of the log: their reasons are in the lines of Shared.
type libraryLogger struct{ logger *slog.Logger }

// Printf implements the logger of the library.
func (l libraryLogger) Printf(ctx context.Context, format string, args ...any) {
	l.logger.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, args...))
}

// Close closes the connections.
func (s *Shared) Close() error {
	s.stop()
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("close Redis: %w", err)
	}
	return nil
}

// probeUntilAvailable waits, and then sends requests to Redis until it replies within the timeout.
func (s *Shared) probeUntilAvailable(ctx context.Context, pause time.Duration) {
	for {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		_, err := s.takeRemote(ctx, []Quota{probe})
		if err == nil {
			s.unavailable.Store(false)
			s.logger.InfoContext(ctx, "redis available, using shared rate limits")
			return
		}
		if pause == 0 { // the first probe
			s.logger.WarnContext(ctx, "redis unavailable, using local rate limits", "error", err)
		}
		pause = probeInterval
	}
}

// Take decides in Redis, within redisTimeout; after that it decides by the requests that this server has admitted.
func (s *Shared) Take(ctx context.Context, quotas ...Quota) Decision {
	if s.unavailable.Load() {
		return s.local.Take(ctx, quotas...)
	}
	decision, err := s.takeRemote(ctx, quotas)
	if err != nil {
		if ctx.Err() == nil && s.unavailable.CompareAndSwap(false, true) { // a client that disconnects is no fault of Redis
			s.logger.WarnContext(ctx, "redis unavailable, using local rate limits", "error", err)
			go s.probeUntilAvailable(s.ctx, probeInterval) //nolint:contextcheck // it outlives the request
		}
		return s.local.Take(ctx, quotas...)
	}
	if decision.Allowed {
		s.local.Take(ctx, quotas...) // if Redis becomes unavailable, this server has counted what it admitted
	}
	return decision
}

func (s *Shared) takeRemote(ctx context.Context, quotas []Quota) (Decision, error) {
	decision := Decision{Allowed: true}
	var keys []string
	var args []any
	for _, quota := range quotas {
		if quota.Limit > 0 {
			keys = append(keys, "versioner:rate:"+quota.Subject)
			args = append(args, quota.Limit, (quota.Window / slots).Microseconds())
			decision.States = append(decision.States, State{Quota: quota})
		}
	}
	if len(keys) == 0 {
		return decision, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	answer, err := takeScript.Run(ctx, s.client, keys, args...).Int64Slice()
	if err != nil {
		return decision, fmt.Errorf("call Redis: %w", err)
	}
	if len(answer) != 1+3*len(keys) {
		return decision, fmt.Errorf("call Redis: %d numbers came back", len(answer))
	}
	decision.Allowed = answer[0] == 1
	for i := range decision.States {
		state, numbers := &decision.States[i], answer[1+3*i:]
		state.Remaining = max(0, state.Limit-int(numbers[0]))
		state.Reset = time.Duration(numbers[2]) * time.Microsecond
		if !decision.Allowed {
			decision.RetryAfter = max(decision.RetryAfter, time.Duration(numbers[1])*time.Microsecond)
		}
	}
	return decision, nil
}
