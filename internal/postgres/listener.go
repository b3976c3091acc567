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

// silencePatience is how many intervals the listener waits for its own sign of life before it connects anew.
const silencePatience = 10

// Listener is told what happens on a channel of notifications.
type Listener struct {
	Channel string
	// Interval is how often a sign of life is sent round the whole way: in by the pool, out by the channel.
	Interval time.Duration
	// Alive is called for each sign of life, with the time it was sent: whatever was sent before then has been heard.
	Alive func(asOf time.Time)
	// Heard is called for each notification.
	Heard func(payload string)
}

// Listen hears a channel on a connection of its own, until the connection fails or ctx ends. A connection that answers but
// brings no notifications, such as one through a pooler, is not alive.
func (p *Pool) Listen(ctx context.Context, listener Listener) error {
	conn, err := pgx.ConnectConfig(ctx, p.pool.Config().ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("connect the listener: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{listener.Channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	own, begin := "alive "+uuid.NewString()+" ", time.Now()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go p.sendSigns(ctx, listener, func() string { return own + strconv.FormatInt(int64(time.Since(begin)), 10) })
	for {
		waiting, cancel := context.WithTimeout(ctx, silencePatience*listener.Interval)
		notification, err := conn.WaitForNotification(waiting)
		cancel()
		if err != nil {
			return fmt.Errorf("wait for a notification: %w", err)
		}
		sent, isOwn := strings.CutPrefix(notification.Payload, own)
		age, err := strconv.ParseInt(sent, 10, 64)
		switch {
		case isOwn && err == nil:
			listener.Alive(begin.Add(time.Duration(age)))
		case !strings.HasPrefix(notification.Payload, "alive "): // another server's sign of life
			listener.Heard(notification.Payload)
		}
	}
}

// sendSigns sends signs of life until ctx ends. One that fails is not missed: the listener hears that it did not come.
func (p *Pool) sendSigns(ctx context.Context, listener Listener, sign func() string) {
	ticker := time.NewTicker(listener.Interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		sending, cancel := context.WithTimeout(ctx, listener.Interval)
		_, _ = p.pool.Exec(sending, "SELECT pg_notify($1, $2)", listener.Channel, sign())
		cancel()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}
