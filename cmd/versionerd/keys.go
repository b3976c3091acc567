package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/config"
)

type keysCommand struct {
	Create createKey `cmd:"" help:"Create an API key (and the account if missing); prints only the key to stdout."`
	List   listKeys  `cmd:"" help:"List the keys of an account."`
	Revoke revokeKey `cmd:"" help:"Revoke a key permanently (effective within one second on every server)."`
}

type createKey struct {
	config.DatabaseSettings

	Account string        `help:"Account of the key: a-z, 0-9, - and _."            placeholder:"NAME" required:""`
	Name    string        `help:"Purpose of the key, such as ci."                               placeholder:"NAME" required:""`
	Scopes  []string      `default:"events" enum:"events,preflight,skip_preflight" help:"What the key may do: report events (events), ask whether a deployment may start (preflight), have skip_preflight_checks of its events honoured (skip_preflight). Repeat the flag, or separate scopes by commas." name:"scope" placeholder:"SCOPE"`
	Expires time.Duration `help:"Validity, such as 720h. Default: unlimited." placeholder:"DURATION"`
}

// Validate is called by kong.
func (c createKey) Validate() error {
	c.Name = strings.TrimSpace(c.Name)
	if c.Name == "" || len(c.Name) > 255 {
		return errors.New("--name: use 1 to 255 characters")
	}
	if c.Expires < 0 {
		return errors.New("--expires: use a positive duration, such as 720h")
	}
	if len(c.Scopes) == 0 {
		return errors.New("--scope: name at least one of events, preflight and skip_preflight")
	}
	return apikeys.ValidateAccountSlug(c.Account)
}

// Run prints the key to standard output and everything else to standard error, for use in scripts.
func (c createKey) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withKeys(ctx, cfg, abort, func(keys *apikeys.Keys) error {
		key := apikeys.NewKey{Name: c.Name, Scopes: c.Scopes}
		until := "without expiry"
		if c.Expires > 0 {
			expires := time.Now().Add(c.Expires).UTC()
			key.ExpiresAt = &expires
			until = "until " + expires.Format(time.RFC3339)
		}
		created, err := keys.CreateInAccount(ctx, c.Account, key)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "API key of account %q, valid %s. It is shown only once:\n", c.Account, until)
		fmt.Fprintln(os.Stdout, created.Token)
		return nil
	})
}

type listKeys struct {
	config.DatabaseSettings

	Account string `help:"Account of the keys." placeholder:"NAME" required:""`
}

// Run prints a table.
func (c listKeys) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withKeys(ctx, cfg, abort, func(keys *apikeys.Keys) error {
		infos, err := keys.List(ctx, c.Account)
		if apperr.Is(err, apperr.NotFound) {
			return fmt.Errorf("there is no account %q", c.Account)
		}
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "KEY\tNAME\tPREFIX\tSCOPES\tSTATE\tCREATED\tEXPIRES\tLAST USED")
		for _, info := range infos {
			fmt.Fprintf(table, "%s\t%s\t%s…\t%s\t%s\t%s\t%s\t%s\n", info.KeyID, info.Name, info.Prefix, strings.Join(info.Scopes, ","), info.State(time.Now()),
				info.CreatedAt.UTC().Format(time.RFC3339), formatTime(info.ExpiresAt), formatTime(info.LastUsedAt))
		}
		return table.Flush()
	})
}

type revokeKey struct {
	config.DatabaseSettings

	Account string `help:"Account of the key."             placeholder:"NAME" required:""`
	Key     string `arg:"" help:"Key to revoke, such as k1, as keys list prints it."`
}

// Run revokes the key.
func (c revokeKey) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withKeys(ctx, cfg, abort, func(keys *apikeys.Keys) error {
		err := keys.RevokeByKeyID(ctx, c.Account, c.Key)
		if apperr.Is(err, apperr.NotFound) {
			return fmt.Errorf("account %q has no key %q", c.Account, c.Key)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "Key %s of account %q is revoked.\n", c.Key, c.Account)
		return nil
	})
}

func withKeys(ctx context.Context, cfg config.Config, abort *app.Abort, fn func(*apikeys.Keys) error) error {
	return withApp(ctx, cfg, abort, func(a *app.App) error { return fn(a.Keys) })
}

// withApp opens the database for one command, which logs warnings and errors only.
func withApp(ctx context.Context, cfg config.Config, abort *app.Abort, fn func(*app.App) error) error {
	a, err := app.Open(ctx, cfg, quietLogger(cfg), app.AttachDatabase(abort, os.Stderr))
	if err != nil {
		return err
	}
	defer a.Close(ctx)
	return fn(a)
}

// quietLogger serves short commands, whose own output is what users read.
func quietLogger(cfg config.Config) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: max(cfg.LogLevel, slog.LevelWarn)}))
}

func formatTime(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}
