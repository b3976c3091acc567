package app

import (
	"context"
	"time"
)

const (
	binariesCheckInterval = 10 * time.Second
	maxRestartInterval    = 5 * time.Minute
)

// watchBinaries checks until ctx ends whether the installation of PostgreSQL was replaced under the running server, which an
// upgrade of packages does: new connections then fail to load its libraries. Readiness reports the fault; the embedded PostgreSQL is
// restarted from the new installation.
func (a *App) watchBinaries(ctx context.Context) {
	interval := binariesCheckInterval
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
		}
		if a.checkBinaries(ctx) {
			interval = binariesCheckInterval
		} else {
			interval = min(2*interval, maxRestartInterval) // a restart that does not help must not repeat every few seconds
		}
	}
}

// checkBinaries reports whether new connections work, or fail for another reason, and records the fault for readiness.
func (a *App) checkBinaries(ctx context.Context) bool {
	fault := a.Pool.CheckBinaries(ctx)
	if fault == nil {
		a.binariesFault.Store(nil)
		return true
	}
	a.binariesFault.Store(&fault)
	a.logger.ErrorContext(ctx, "postgres binaries do not match the running server", "error", fault, "restarts", a.database.Restart != nil)
	if a.database.Restart != nil {
		a.database.Restart(ctx)
	}
	return false
}
