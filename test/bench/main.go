// Command bench measures how fast a server records deployment events, beside what PostgreSQL itself can do on the same machine: a
// minimal transaction of the same content, sent by pgbench. All phases run interleaved on one managed PostgreSQL with durable commits,
// which the program starts and removes. docs/performance.md describes the method.
//
// With the argument growth it compares servers whose databases have different numbers of rows instead.
//
// The program drives the binary of the server over HTTP alone, so that it can compare revisions.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // where contexts begin
	err := runCommand(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// runCommand prints the results also when a check has failed, and then returns an error.
func runCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == emptyServer {
		return serveEmpty(ctx)
	}
	if len(args) == 2 && args[0] == profiledServer {
		return serveProfiled(ctx, args[1])
	}
	if len(args) > 0 && args[0] == growthProgram {
		return measureGrowth(ctx, args[1:], stdout, stderr)
	}
	options, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	r, err := measure(ctx, options, stderr)
	if err != nil {
		return err
	}
	if err := r.print(stdout); err != nil {
		return err
	}
	if options.JSON != "" {
		if err := r.writeJSON(options.JSON); err != nil {
			return err
		}
	}
	return r.failure()
}
