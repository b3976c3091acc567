package app

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifySystemd sends a state to the systemd that started the program as a service of Type=notify. Elsewhere it does nothing.
func (a *App) notifySystemd(ctx context.Context, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		a.logger.WarnContext(ctx, "failed to notify systemd", "state", state, "error", err)
	}
}

// runWatchdog notifies systemd twice in each interval of WatchdogSec, until stop is called.
func (a *App) runWatchdog(ctx context.Context) (stop func()) {
	ctx, stop = context.WithCancel(context.WithoutCancel(ctx))
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		a.logger.WarnContext(ctx, "watchdog of systemd disabled", "error", err)
	}
	if interval == 0 {
		return stop
	}
	go func() {
		ticker := time.NewTicker(interval / 2)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				a.notifySystemd(ctx, daemon.SdNotifyWatchdog)
			case <-ctx.Done():
				return
			}
		}
	}()
	return stop
}
