// Command testdatabase runs a command, such as go test, with VERSIONER_TEST_DATABASE_URL set to a PostgreSQL that it starts before and
// stops after: the test processes of all packages then share one server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/versioner-io/versioner/internal/testdb"
)

const variable = "VERSIONER_TEST_DATABASE_URL"

func main() {
	// The terminal sends Ctrl-C to the command, too: it ends, and then this process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(context.WithoutCancel(ctx), os.Args[1:])
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(max(exit.ExitCode(), 1)) //nolint:gocritic // the server has stopped
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "testdatabase:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) (err error) {
	flags := flag.NewFlagSet("testdatabase", flag.ContinueOnError)
	schemaFor := flags.String("schema-for", "", "directory with the migrations of another version, whose tests get the schema of this one")
	if err := flags.Parse(arguments); err != nil {
		return err //nolint:wrapcheck // names the flag
	}
	if arguments = flags.Args(); len(arguments) == 0 {
		return errors.New("usage: testdatabase [-schema-for DIRECTORY] COMMAND [ARGUMENT...]")
	}
	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...) //nolint:gosec // the command of the caller
	command.Stdin, command.Stdout, command.Stderr, command.Env = os.Stdin, os.Stdout, os.Stderr, os.Environ()
	dsn := os.Getenv(variable)
	if dsn == "" {
		served, stop, startErr := testdb.Serve(ctx)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, stop(ctx)) }()
		dsn = served
		command.Env = append(command.Env, variable+"="+dsn)
	}
	if *schemaFor != "" {
		if err := testdb.PrepareTemplate(ctx, dsn, os.DirFS(*schemaFor)); err != nil {
			return err
		}
	}
	return command.Run() //nolint:wrapcheck // its exit status is this command's
}
