package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// missedHeartbeats is the number of intervals without a heartbeat after which the connection counts as lost.
const missedHeartbeats = 10

// heartbeatPrefix begins the payload of a heartbeat, which is followed by an identifier of the listener and the time of sending.
const heartbeatPrefix = "heartbeat "

// Listener receives the notifications of a channel.
type Listener struct {
	Channel string
	// Interval is the interval of heartbeats, which the pool sends and the channel returns.
	Interval time.Duration
	// OnHeartbeat is called for each heartbeat, with the time at which it was sent: all notifications sent before have arrived.
	OnHeartbeat func(asOf time.Time)
	// OnNotify is called for each notification.
	OnNotify func(payload string)
}

// Listen subscribes to a channel on a separate connection, until the connection fails or ctx ends. A connection without
// heartbeats, such as one through a pooler that delivers no notifications, counts as failed.
func (p *Pool) Listen(ctx context.Context, listener Listener) error {
	conn, err := pgx.ConnectConfig(ctx, p.pool.Config().ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("connect the listener: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{listener.Channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	own, begin := heartbeatPrefix+uuid.NewString()+" ", time.Now()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go p.sendHeartbeats(ctx, listener, func() string { return own + strconv.FormatInt(int64(time.Since(begin)), 10) })
	for {
		waiting, cancel := context.WithTimeout(ctx, missedHeartbeats*listener.Interval)
		notification, err := conn.WaitForNotification(waiting)
		cancel()
		if err != nil {
			return fmt.Errorf("wait for a notification: %w", err)
		}
		sent, isOwn := strings.CutPrefix(notification.Payload, own)
		age, err := strconv.ParseInt(sent, 10, 64)
		switch {
		case isOwn && err == nil:
			listener.OnHeartbeat(begin.Add(time.Duration(age)))
		case !strings.HasPrefix(notification.Payload, heartbeatPrefix): // else it is the heartbeat of another server
			listener.OnNotify(notification.Payload)
		}
	}
}

// sendHeartbeats sends heartbeats until ctx ends. It ignores errors: the listener detects missing heartbeats.
func (p *Pool) sendHeartbeats(ctx context.Context, listener Listener, payload func() string) {
	ticker := time.NewTicker(listener.Interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		sending, cancel := context.WithTimeout(ctx, listener.Interval)
		_, _ = p.pool.Exec(sending, "SELECT pg_notify($1, $2)", listener.Channel, payload())
		cancel()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}
