package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/seed"
	"github.com/versioner-io/versioner/internal/signin"
)

type demoCommand struct {
	config.SeedSettings

	Addr    string `default:"127.0.0.1:8080" env:"VERSIONER_ADDR" help:"Address of the server in the printed commands." placeholder:"HOST:PORT"`
	Account string `default:"demo" help:"Account to seed. It is created if missing, and rejected if it has data." placeholder:"NAME"`
	Seed    uint64 `default:"1"    help:"Random seed."                          placeholder:"N"`
	Days    int    `default:"30"   help:"Length of the history in days, 7 to 365."                                                         placeholder:"N"`
}

// Validate is called by kong.
func (c demoCommand) Validate() error {
	if c.Days < seed.MinDays || c.Days > seed.MaxDays {
		return fmt.Errorf("--days: use %d to %d", seed.MinDays, seed.MaxDays)
	}
	return apikeys.ValidateAccountSlug(c.Account)
}

// Run seeds the account in one transaction. Progress goes to standard error, the summary to standard output.
func (c demoCommand) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	a, err := app.Open(ctx, cfg, quietLogger(cfg), app.AttachDatabase(abort, os.Stderr))
	if err != nil {
		return err
	}
	defer a.Close(ctx)
	channels, err := a.Channels(ctx)
	if err != nil {
		return err
	}
	history := seed.New(c.Seed, c.Days, time.Now())
	quarter := 0
	progress := func(events int) {
		if now := 4 * events / len(history.Events); now > quarter {
			quarter = now
			fmt.Fprintf(os.Stderr, "%d of %d events\n", events, len(history.Events))
		}
	}
	err = seed.Fill(ctx, a.Pool, a.Keys, channels, c.Account, history, progress)
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("stopped: nothing was added")
	case errors.Is(err, seed.ErrInUse):
		return fmt.Errorf("account %q: %w, nothing was added; choose another account, such as --account %s2", c.Account, err, c.Account)
	case err != nil:
		return fmt.Errorf("nothing was added: %w", err)
	}
	fmt.Fprintf(os.Stdout, seedSummary, c.Account, c.Seed, history.Summary(), c.Addr, signin.AccountLink(channels.Keys, c.Account, time.Now()),
		c.Addr, tokenCommandLine(cfg, c.Account), c.Addr, os.Args[0], c.Account, dataDirFlag(cfg))
	return nil
}

const seedSummary = `
Account %q has sample data (seed %d):

%s
While ` + "`versionerd dev`" + ` runs, sign in to this account's dashboard (once, within 30 minutes):
http://%s%s

List what runs where:

curl -sS http://%s/environment-state/ -H "Authorization: Bearer $(%s)"

or try every operation at http://%s/docs with such a token.
An API key: %s keys create --account %s --name ci%s
`
