package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/config"
)

type keyringCommand struct {
	Status keyringStatus `cmd:"" help:"Show what still uses other secrets than the first encryption key and the first pepper."`
	Rotate keyringRotate `cmd:"" help:"Encrypt everything with the first key, and make the first pepper that of the database. Servers may run."`
}

type keyringStatus struct{ config.WorkerSettings }

// Run changes nothing.
func (keyringStatus) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withApp(ctx, cfg, abort, func(a *app.App) error {
		former, err := a.FormerSecrets(ctx)
		if err != nil {
			return err
		}
		return printFormerSecrets(os.Stdout, former)
	})
}

type keyringRotate struct{ config.WorkerSettings }

// Run fails while former secrets are needed.
func (keyringRotate) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withApp(ctx, cfg, abort, func(a *app.App) error {
		former, err := a.RotateSecrets(ctx)
		if err != nil {
			return err
		}
		if err := printFormerSecrets(os.Stdout, former); err != nil {
			return err
		}
		if !former.IsEmpty() {
			return errors.New("former secrets are still in use: keep them, and rotate again when these API keys and calendar feeds have been used or revoked, and the sessions have ended")
		}
		return nil
	})
}

func printFormerSecrets(w io.Writer, former app.FormerSecrets) error {
	fmt.Fprintf(w, "Encrypted with another key than the first one: %d notification channels, %d sessions\n", former.Channels, former.Sessions)
	fmt.Fprintf(w, "Hashed with another pepper than the first one: %d active API keys, %d calendar feeds\n", len(former.APIKeys), former.CalendarFeeds)
	if len(former.APIKeys) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nACCOUNT\tKEY\tNAME\tLAST USED")
	for _, key := range former.APIKeys {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", key.AccountSlug, key.KeyID, key.Name, formatTime(key.LastUsedAt))
	}
	return table.Flush() //nolint:wrapcheck // names the output
}
