// Command versionerd is the Versioner server.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // for machines and images without time zones

	"github.com/alecthomas/kong"
	"github.com/willabides/kongplete"
	_ "golang.org/x/crypto/x509roots/fallback" // for machines and images without certificates

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/buildinfo"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/logctx"
)

type cli struct {
	Dev        devCommand        `cmd:"" help:"Run a development server (demo account, first API key)."`
	Serve      serveCommand      `cmd:"" help:"Run the server."`
	Worker     workerCommand     `cmd:"" help:"Run a notification worker."`
	Keys       keysCommand       `cmd:"" help:"Create, list and revoke API keys."`
	Keyring    keyringCommand    `cmd:"" help:"Rotate the encryption keys and the pepper of API keys."`
	Limits     limitsCommand     `cmd:"" help:"Set rate limits for an account or API key."`
	Token      tokenCommand      `cmd:"" help:"Mint a development session token (accepted by versionerd dev only)."`
	Migrate    migrateCommand    `cmd:"" help:"Migrate the schema of the database, or list its migrations."`
	Account    accountCommand    `cmd:"" help:"Move an account to another database."`
	Backup     backupCommand     `cmd:"" help:"Write the database into one file, optionally encrypted."`
	Restore    restoreCommand    `cmd:"" help:"Restore a backup into an empty database or data directory."`
	Demo       demoCommand       `cmd:"" help:"Seed an account with sample data."`
	Config     configCommand     `cmd:"" help:"Print every setting with its value and source; secrets are masked."`
	OpenAPI    openapiCommand    `cmd:"" help:"Print the OpenAPI document."                                          name:"openapi"`
	Completion completionCommand `cmd:"" help:"Print a shell completion script."`
	Man        manCommand        `cmd:"" help:"Print the man page."`
	Version    kong.VersionFlag  `help:"Print the version and exit."`
}

// gcPercent is the default of GOGC. The live heap is a few MiB, so Go's own default of 100 collects garbage dozens of times a
// second, which costs a sixth of the CPU time of an event.
const gcPercent = 400

// exitAborted is the exit code of a program that a second signal ended.
const exitAborted = 130

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	var abort app.Abort
	ctx := signalContext(context.Background(), &abort)
	if err := run(ctx, &abort, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "versionerd: %v\n", err)
		os.Exit(exitCode(err))
	}
}

// exitCode is 1 for an error without an exit code of its own.
func exitCode(err error) int {
	var coder kong.ExitCoder
	if errors.As(err, &coder) {
		return coder.ExitCode()
	}
	return 1
}

// signalContext is canceled by the first signal. A second one stops the embedded PostgreSQL and exits immediately.
func signalContext(ctx context.Context, abort *app.Abort) context.Context {
	ctx, stop := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if received := <-signals; received == syscall.SIGTERM {
			stop(app.ErrTerminated)
		}
		stop(nil)
		<-signals
		abort.Run()
		fmt.Fprintln(os.Stderr, "versionerd: aborted")
		os.Exit(exitAborted)
	}()
	return ctx
}

// resolver is a command with settings.
type resolver interface {
	Resolve() (config.Config, error)
}

func run(ctx context.Context, abort *app.Abort, args []string) error {
	environment, files := config.PrepareEnvironment(), config.NewFiles(os.Environ())
	var flags cli
	parser, err := kong.New(&flags, kong.Name("versionerd"), kong.Description(description), kong.ValueFormatter(formatHelp), kong.Resolvers(secretFiles(files)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"version": buildinfo.Read().String(), "data_dir": config.DefaultDataDir()})
	if err != nil {
		return fmt.Errorf("read the command line: %w", err)
	}
	kongplete.Complete(parser)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	parser.FatalIfErrorf(err)
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(abort)
	command.Bind(files)
	target := command.Selected().Target
	if selected, ok := reflect.TypeAssert[resolver](target.Addr()); ok {
		cfg, err := selected.Resolve()
		if unusable := files.Err(); unusable != nil {
			err = unusable // its settings have no value: the other rules would report what follows from that
		}
		if err := errors.Join(environment, err); err != nil {
			err = fmt.Errorf("invalid configuration\n%w", err)
			if _, printsSettings := reflect.TypeAssert[configCommand](target); printsSettings {
				err = errors.Join(command.Run(), err)
			}
			return err
		}
		command.Bind(cfg, slog.New(logctx.NewHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))))
	}
	return command.Run() //nolint:wrapcheck // the error of the command itself
}

// secretFiles returns the resolver of secret settings that are in files.
func secretFiles(files *config.Files) kong.ResolverFunc {
	return func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, name := range flag.Envs {
			if value, ok := files.Value(name); ok {
				return value, nil
			}
		}
		return nil, nil
	}
}

// formatHelp adds the default and the environment variable to the help of a flag.
func formatHelp(value *kong.Value) string {
	var notes []string
	if value.HasDefault {
		notes = append(notes, "default: "+value.Default)
	}
	for _, name := range value.Tag.Envs {
		notes = append(notes, "$"+name)
		if value.Tag.Has("secret") {
			notes = append(notes, "$"+name+"_FILE")
		}
	}
	if len(notes) == 0 {
		return value.Help
	}
	return strings.TrimSuffix(value.Help, ".") + " (" + strings.Join(notes, ", ") + ")."
}

const description = `Versioner records what runs where, since when, and who deployed it.

Without DATABASE_URL the server runs an embedded PostgreSQL in the data directory. Flags have precedence over the environment.
"versionerd COMMAND --help" describes the settings of a command.`
