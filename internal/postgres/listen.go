package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Listener is told what happens on a channel of notifications.
type Listener struct {
	Channel string
	// Interval is how long the connection may be silent before the server is asked for a sign of life.
	Interval time.Duration
	// Alive is called once the channel is listened to and after each sign of life: whatever was sent before has been heard.
	Alive func()
	// Heard is called for each notification.
	Heard func(payload string)
}

// Listen hears a channel on a connection of its own, until the connection fails or ctx ends.
func (p *Pool) Listen(ctx context.Context, listener Listener) error {
	conn, err := pgx.ConnectConfig(ctx, p.pool.Config().ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("connect the listener: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{listener.Channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	listener.Alive()
	for {
		notification, err := waitForNotification(ctx, conn, listener.Interval)
		switch {
		case err != nil:
			return err
		case notification != nil:
			listener.Heard(notification.Payload)
		default:
			listener.Alive()
		}
	}
}

// waitForNotification returns the next notification, or nil when there was none for a while but the server is alive.
func waitForNotification(ctx context.Context, conn *pgx.Conn, interval time.Duration) (*pgconn.Notification, error) {
	waiting, cancel := context.WithTimeout(ctx, interval)
	defer cancel()
	notification, err := conn.WaitForNotification(waiting)
	if err == nil {
		return notification, nil
	}
	if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("wait for a notification: %w", err)
	}
	pinging, cancelPing := context.WithTimeout(ctx, interval)
	defer cancelPing()
	if err := conn.Ping(pinging); err != nil {
		return nil, fmt.Errorf("listener's sign of life: %w", err)
	}
	return nil, nil //nolint:nilnil // silence is neither a notification nor an error
}
