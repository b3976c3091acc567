package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/config"
)

type accountCommand struct {
	Export  accountExport  `cmd:"" help:"Lock an account, whose requests are then answered 503, and write it into a file."`
	Import  accountImport  `cmd:"" help:"Insert an exported account into a database that does not have it."`
	Abandon accountAbandon `cmd:"" help:"End the move of an account that stays: its requests are served again."`
}

type accountExport struct {
	config.DatabaseSettings

	Account string        `help:"Account to export."                                                                          placeholder:"NAME" required:""`
	To      string        `help:"File to write, readable by its owner only; - is standard output."                            placeholder:"FILE" required:""`
	Wait    time.Duration `default:"27s"                                                               help:"How long requests that were accepted before the lock may take." placeholder:"DURATION"`
}

// Help describes the file.
func (accountExport) Help() string {
	return `The file has every row of the account, and the jobs that have not ended. Secrets in it are encrypted and hashed as in the database. The
account stays locked: import it into the other database, route its requests there, and keep the lock, or abandon the move. After a failure,
the command can be repeated.`
}

// Run prints what was exported to standard error.
func (c accountExport) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withApp(ctx, cfg, abort, func(a *app.App) error {
		return writeFile(c.To, func(w io.Writer) error {
			manifest, err := a.ExportAccount(ctx, c.Account, c.Wait, w)
			if err == nil {
				fmt.Fprintf(os.Stderr, "Account %q is locked and exported: %d rows of %d tables, %d jobs.\n", manifest.Slug, manifest.Rows(), len(manifest.Tables), manifest.Jobs)
			}
			return err
		})
	})
}

type accountImport struct {
	config.WorkerSettings

	From string `help:"File of versionerd account export; - is standard input." placeholder:"FILE" required:""`
}

// Run prints what was imported to standard error.
func (c accountImport) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withApp(ctx, cfg, abort, func(a *app.App) error {
		file := os.Stdin
		if c.From != standardStream {
			var err error
			if file, err = os.Open(c.From); err != nil {
				return fmt.Errorf("open the account: %w", err)
			}
			defer func() { _ = file.Close() }()
		}
		manifest, err := a.ImportAccount(ctx, file)
		if err == nil {
			fmt.Fprintf(os.Stderr, "Account %q is imported and served: %d rows of %d tables, %d jobs.\n", manifest.Slug, manifest.Rows(), len(manifest.Tables), manifest.Jobs)
		}
		return err
	})
}

type accountAbandon struct {
	config.DatabaseSettings

	Account string `help:"Account to serve again." placeholder:"NAME" required:""`
}

// Run takes effect on every server within one second.
func (c accountAbandon) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withApp(ctx, cfg, abort, func(a *app.App) error {
		if err := a.AbandonAccountMove(ctx, c.Account); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "Account %q is served.\n", c.Account)
		return nil
	})
}
