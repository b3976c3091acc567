package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/telemetry"
)

const partitionsInterval = time.Minute

// serveOperator serves metrics and profiles, until stop is called. A program whose default address is in use runs without; an address
// that was chosen must be available.
func (a *App) serveOperator(ctx context.Context) (stop func(), err error) {
	if a.telemetry.Metrics == nil {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.cfg.OperatorAddr)
	if err != nil && a.cfg.OperatorAddr == config.DefaultOperatorAddr {
		a.logger.WarnContext(ctx, "metrics are not served; choose another address with --operator-addr or VERSIONER_OPERATOR_ADDR", "error", err)
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with --operator-addr or VERSIONER_OPERATOR_ADDR", err)
	}
	withProfiles := hasProfiles(a.cfg, listener.Addr())
	server := &http.Server{
		Handler: telemetry.OperatorHandler(a.telemetry.Metrics, withProfiles), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.logger.ErrorContext(ctx, "metrics are not served any more", "error", err)
		}
	}()
	a.logger.InfoContext(ctx, "serving metrics", "url", browserURL(listener.Addr())+"/metrics", "profiles", withProfiles)
	return func() { _ = server.Close() }, nil
}

// hasProfiles reports whether profiles are served at an address: by default, only to programs of this machine.
func hasProfiles(cfg config.Config, address net.Addr) bool {
	tcp, ok := address.(*net.TCPAddr)
	return cfg.OperatorPprof || ok && tcp.IP.IsLoopback()
}

// watchPartitions counts the future partitions of the event log until ctx ends.
func (a *App) watchPartitions(ctx context.Context) {
	if a.telemetry.Metrics == nil {
		return
	}
	telemetry.Every(ctx, partitionsInterval, func(ctx context.Context) {
		if partitions, err := a.Pool.CountFutureEventPartitions(ctx, time.Now()); err == nil {
			a.telemetry.Metrics.PartitionsAhead(partitions)
		}
	})
}
