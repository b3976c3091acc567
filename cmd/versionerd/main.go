// Command versionerd is the Versioner server.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/buildinfo"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/logctx"
)

type cli struct {
	config.Settings

	Dev     devCommand       `cmd:"" help:"Run the server for trying out: like serve, with an account \"demo\" and a first key."`
	Serve   serveCommand     `cmd:"" help:"Run the server."`
	Work    workCommand      `cmd:"" help:"Deliver notifications, beside servers that run with --no-work."`
	Keys    keysCommand      `cmd:"" help:"Make, list and revoke API keys."`
	Limits  limitsCommand    `cmd:"" help:"Say how much an account or a key may do."`
	Token   tokenCommand     `cmd:"" help:"Print a token for a person, which only dev believes."`
	Demo    demoCommand      `cmd:"" help:"Fill an account with a month of invented history, to look at."`
	OpenAPI openapiCommand   `cmd:"" help:"Print the specification of the API."                                 name:"openapi"`
	Version kong.VersionFlag `help:"Print the version and leave."`
}

// gcPercent is the default of GOGC. The live heap is a few MiB, so Go's own default of 100 collects garbage dozens of times a
// second, which costs a sixth of the CPU time of an event.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx := signalContext(context.Background())
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "versionerd: %v\n", err)
		os.Exit(1)
	}
}

// signalContext ends with the first signal; a second one ends the program at once.
func signalContext(ctx context.Context) context.Context {
	ctx, stop := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		received := <-signals
		signal.Stop(signals)
		if received == syscall.SIGTERM {
			stop(app.ErrTerminated)
		}
		stop(nil)
	}()
	return ctx
}

func run(ctx context.Context, args []string) error {
	var line cli
	parser, err := kong.New(&line, kong.Name("versionerd"), kong.Description(description),
		kong.Vars{"version": buildinfo.Read().String(), "data_dir": config.DefaultDataDir()})
	if err != nil {
		return fmt.Errorf("read the command line: %w", err)
	}
	command, err := parser.Parse(args)
	parser.FatalIfErrorf(err)
	cfg, err := line.Resolve()
	if err != nil {
		return fmt.Errorf("the configuration is not usable\n%w", err)
	}
	logger := slog.New(logctx.NewHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.LogLevel})))
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run(cfg, logger) //nolint:wrapcheck // the command's own words
}

const description = `Versioner knows what runs where, since when, and who put it there.

Without DATABASE_URL the server runs its own PostgreSQL in the data directory. Flags win over the environment.`
