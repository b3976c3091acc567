package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"runtime/pprof"

	"github.com/alecthomas/kong"

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/logctx"
)

// profiledServer is the argument that makes the program serve like `versionerd serve`, and write a CPU profile to the file that
// follows.
const profiledServer = "profiled-server"

// gcPercent is that of cmd/versionerd.
const gcPercent = 400

// serveProfiled serves until ctx ends. The settings come from the environment.
func serveProfiled(ctx context.Context, path string) (err error) {
	var settings config.ServerSettings
	parser, err := kong.New(&settings, kong.Vars{"data_dir": config.DefaultDataDir()})
	if err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	if _, err := parser.Parse(nil); err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	cfg, err := settings.Resolve()
	if err != nil {
		return err
	}
	file, err := os.Create(path) //nolint:gosec // the path is an argument
	if err != nil {
		return fmt.Errorf("create the profile: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	debug.SetGCPercent(gcPercent)
	logger := slog.New(logctx.NewHandler(slog.NewJSONHandler(os.Stderr, nil)))
	a, err := app.Open(ctx, cfg, logger, app.OpenExclusiveDatabase(nil))
	if err != nil {
		return err
	}
	defer a.Close(ctx)
	defer pprof.StopCPUProfile()
	return a.Serve(ctx, cfg.Issuers, nil, func(context.Context, string) error { return pprof.StartCPUProfile(file) })
}
