package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/seed"
	"github.com/versioner-io/versioner/internal/signin"
)

const demoAccount = seed.Account

type serveCommand struct{ config.ServerSettings }

// Run serves without creating any data.
func (serveCommand) Run(ctx context.Context, cfg config.Config, logger *slog.Logger, abort *app.Abort) error {
	a, err := app.Open(ctx, cfg, logger, app.OpenExclusiveDatabase(abort))
	if err != nil {
		return err
	}
	defer a.Close(ctx)
	return a.Serve(ctx, cfg.Issuers, nil, func(ctx context.Context, url string) error {
		logger.InfoContext(ctx, "listening", "url", url, "docs", url+"/docs")
		used, err := a.Pool.HasAccounts(ctx)
		if err == nil && !used {
			logger.WarnContext(ctx, "no accounts yet; create an API key with `versionerd keys create --account NAME --name ci`")
		}
		return err
	})
}

type workerCommand struct{ config.WorkerSettings }

// Run delivers notifications of servers that run with --no-worker.
func (workerCommand) Run(ctx context.Context, cfg config.Config, logger *slog.Logger, abort *app.Abort) error {
	a, err := app.Open(ctx, cfg, logger, app.AttachDatabase(abort, io.Discard))
	if err != nil {
		return err
	}
	defer a.Close(ctx)
	return a.RunWorker(ctx)
}

type devCommand struct{ config.ServerSettings }

// Run serves. The first start creates an account and an API key, and prints how to use them.
func (devCommand) Run(ctx context.Context, cfg config.Config, logger *slog.Logger, abort *app.Abort) error {
	a, err := app.Open(ctx, cfg, logger, app.OpenExclusiveDatabase(abort))
	if err != nil {
		return err
	}
	defer a.Close(ctx)
	dev, err := authn.LoadDevSigner(cfg.DataDir)
	if err != nil {
		return err
	}
	development := signin.NewDevelopment(demoAccount, time.Now)
	return a.Serve(ctx, append(cfg.Issuers, dev.Issuer()), development, func(ctx context.Context, url string) error {
		used, err := a.Pool.HasAccounts(ctx)
		if err != nil {
			return err
		}
		if used {
			fmt.Fprintf(os.Stdout, restartBanner, url, url, describeDatabase(cfg), os.Args[0], demoAccount, dataDirFlag(cfg), url, url, development.Link())
			return nil
		}
		created, err := a.Keys.CreateInAccount(ctx, demoAccount, apikeys.NewKey{Name: "first key"})
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, firstRunBanner, url, url, describeDatabase(cfg), url, created.Token, url, tokenCommandLine(cfg, demoAccount), os.Args[0], dataDirFlag(cfg), url, url, development.Link())
		return nil
	})
}

func describeDatabase(cfg config.Config) string {
	if cfg.DatabaseURL != "" {
		return "DATABASE_URL"
	}
	return cfg.DataDir
}

// dataDirFlag returns the flag that other commands need for this server's data directory, with a leading space; empty for the
// default directory.
func dataDirFlag(cfg config.Config) string {
	if cfg.DataDir == config.DefaultDataDir() {
		return ""
	}
	return " --data-dir '" + cfg.DataDir + "'"
}

// tokenCommandLine returns the shell command that mints a token for this server and an account.
func tokenCommandLine(cfg config.Config, account string) string {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	return fmt.Sprintf("'%s' token --account %s --role admin --data-dir '%s' 2>/dev/null", program, account, cfg.DataDir)
}

const firstRunBanner = `
Versioner is listening on %s
Documentation:            %s/docs
Data:                     %s

Record a deployment (the key is shown only once, store it):

curl -sS %s/deployment-events/ \
  -H 'Authorization: Bearer %s' \
  -H 'Content-Type: application/json' \
  -d '{"product_name":"checkout","version":"1.4.2","environment_name":"production","status":"completed"}'

List the deployments as a user with the role admin:

curl -sS %s/deployments/ -H "Authorization: Bearer $(%s)"

Sample data, in an account of its own to which the command prints a link: %s demo --account sample%s
Ctrl-C stops the server; the data is kept.

Dashboard:                %s/app/
Sign in (once, within 30 minutes):
%s%s

`

const restartBanner = `
Versioner is listening on %s
Documentation:            %s/docs
Data:                     %s

Another API key: %s keys create --account %s --name NAME%s
Ctrl-C stops the server; the data is kept.

Dashboard:                %s/app/
Sign in (once, within 30 minutes):
%s%s

`
