package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/seed"
)

const demoAccount = seed.Account

type serveCommand struct{}

// Run serves, with nothing invented.
func (serveCommand) Run(ctx context.Context, cfg config.Config, logger *slog.Logger) error {
	a, err := app.Open(ctx, cfg, logger, app.OpenExclusiveDatabase)
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Serve(ctx, cfg.Issuers, func(ctx context.Context, url string) error {
		logger.InfoContext(ctx, "listening", "url", url, "docs", url+"/docs")
		used, err := a.Pool.HasAccounts(ctx)
		if err == nil && !used {
			logger.WarnContext(ctx, "the database is empty: make the first API key with `versionerd keys create --account NAME --name ci`")
		}
		return err
	})
}

type workCommand struct{}

// Run delivers notifications, beside servers that do not.
func (workCommand) Run(ctx context.Context, cfg config.Config, logger *slog.Logger) error {
	a, err := app.Open(ctx, cfg, logger, app.AttachDatabase)
	if err != nil {
		return err
	}
	defer a.Close()
	return a.RunWorker(ctx)
}

type devCommand struct{}

// Run serves, and on the first start makes an account and a key, and tells how to use them.
func (devCommand) Run(ctx context.Context, cfg config.Config, logger *slog.Logger) error {
	a, err := app.Open(ctx, cfg, logger, app.OpenExclusiveDatabase)
	if err != nil {
		return err
	}
	defer a.Close()
	dev, err := authn.LoadDevKey(cfg.DataDir)
	if err != nil {
		return err
	}
	return a.Serve(ctx, append(cfg.Issuers, dev.Issuer()), func(ctx context.Context, url string) error {
		used, err := a.Pool.HasAccounts(ctx)
		if err != nil {
			return err
		}
		if used {
			fmt.Fprintf(os.Stdout, restartBanner, url, url, demoAccount)
			return nil
		}
		created, err := a.Keys.CreateFor(ctx, demoAccount, authn.NewKey{Name: "first key"})
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, firstRunBanner, url, url, url, created.Token, url, tokenCommandLine(cfg, demoAccount))
		return nil
	})
}

// tokenCommandLine is how to get a token for this server and an account in a shell.
func tokenCommandLine(cfg config.Config, account string) string {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	return fmt.Sprintf("'%s' token --account %s --role admin --data-dir '%s' 2>/dev/null", program, account, cfg.DataDir)
}

const firstRunBanner = `
Versioner is listening on %s
The documentation is at   %s/docs

Tell it about a deployment (the key is shown this once, keep it):

curl -sS %s/deployment-events/ \
  -H 'Authorization: Bearer %s' \
  -H 'Content-Type: application/json' \
  -d '{"product_name":"checkout","version":"1.4.2","environment_name":"production","status":"completed"}'

and read what it knows, as a person who may do everything:

curl -sS %s/deployments/ -H "Authorization: Bearer $(%s)"

For a month of history to look at: versionerd demo
Ctrl-C stops it; the data is kept.

`

const restartBanner = `
Versioner is listening on %s
The documentation is at   %s/docs

Your data is as you left it. For another API key: versionerd keys create --account %s --name NAME
Ctrl-C stops it; the data is kept.

`
