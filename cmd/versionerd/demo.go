package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/seed"
)

type demoCommand struct {
	Account string `default:"demo" help:"Account to fill. It is made when it does not exist, and left alone when it has data of its own." placeholder:"NAME"`
	Seed    uint64 `default:"1"    help:"Which history: the same number, at the same time, gives the same one."                          placeholder:"N"`
	Days    int    `default:"30"   help:"How many days it goes back, 7 to 365."                                                         placeholder:"N"`
}

// Validate is called by kong.
func (c demoCommand) Validate() error {
	if c.Days < seed.MinDays || c.Days > seed.MaxDays {
		return fmt.Errorf("--days: use %d to %d", seed.MinDays, seed.MaxDays)
	}
	return authn.CheckAccountSlug(c.Account)
}

// Run fills an account, or changes nothing. Progress goes to standard error, what was made to standard output.
func (c demoCommand) Run(ctx context.Context, cfg config.Config, _ *slog.Logger) error {
	a, err := app.Open(ctx, cfg, quietLogger(cfg), app.AttachDatabase)
	if err != nil {
		return err
	}
	defer a.Close()
	history := seed.New(c.Seed, c.Days, time.Now())
	progress := seed.NewProgress(os.Stderr, terminalWidth(os.Stderr), len(history.Events))
	err = seed.Fill(ctx, a.Pool, a.Keys, c.Account, history, progress.Tell)
	progress.Close()
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("stopped: nothing was added")
	case errors.Is(err, seed.ErrFilled):
		return fmt.Errorf("account %q: %w, nothing was added; for another one name another account, such as --account %s2", c.Account, err, c.Account)
	case errors.Is(err, seed.ErrInUse):
		return fmt.Errorf("account %q: %w, nothing was added; name another account, such as --account %s-demo", c.Account, err, c.Account)
	case err != nil:
		return fmt.Errorf("nothing was added: %w", err)
	}
	fmt.Fprintf(os.Stdout, seedSummary, c.Account, c.Seed, history.Summary(), cfg.Addr, tokenCommandLine(cfg, c.Account), cfg.Addr, c.Account)
	return nil
}

// terminalWidth is how wide a terminal is; 0 for what is none.
func terminalWidth(file *os.File) int {
	descriptor := int(file.Fd())
	if !term.IsTerminal(descriptor) {
		return 0
	}
	width, _, err := term.GetSize(descriptor)
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

const seedSummary = `
Account %q has a history now (seed %d):

%s
Read what runs where, while ` + "`versionerd dev`" + ` runs:

curl -sS http://%s/environment-state/ -H "Authorization: Bearer $(%s)"

or try every operation at http://%s/docs with such a token.
For an API key: versionerd keys create --account %s --name ci
`
