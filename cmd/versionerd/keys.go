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

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/config"
)

type keysCommand struct {
	Create createKey `cmd:"" help:"Make a key, and its account if it does not exist. The key alone goes to standard output."`
	List   listKeys  `cmd:"" help:"List the keys of an account."`
	Revoke revokeKey `cmd:"" help:"End a key for good. Every server refuses it within a second."`
}

type createKey struct {
	Account string        `help:"Account that the key belongs to: a-z, 0-9, - and _."            placeholder:"NAME" required:""`
	Name    string        `help:"What the key is for, such as ci."                               placeholder:"NAME" required:""`
	Expires time.Duration `help:"How long the key is valid, such as 720h. Default: for good." placeholder:"DURATION"`
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
	return authn.CheckAccountSlug(c.Account)
}

// Run prints the key on standard output and all else on standard error, so that scripts can take it.
func (c createKey) Run(ctx context.Context, cfg config.Config, logger *slog.Logger) error {
	return withKeys(ctx, cfg, logger, func(keys *authn.APIKeys) error {
		key := authn.NewKey{Name: c.Name}
		until := "for good"
		if c.Expires > 0 {
			expires := time.Now().Add(c.Expires).UTC()
			key.ExpiresAt = &expires
			until = "until " + expires.Format(time.RFC3339)
		}
		created, err := keys.CreateFor(ctx, c.Account, key)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "A key for account %q, valid %s. It is shown this once:\n", c.Account, until)
		fmt.Fprintln(os.Stdout, created.Token)
		return nil
	})
}

type listKeys struct {
	Account string `help:"Account whose keys to list." placeholder:"NAME" required:""`
}

// Run prints a table.
func (c listKeys) Run(ctx context.Context, cfg config.Config, logger *slog.Logger) error {
	return withKeys(ctx, cfg, logger, func(keys *authn.APIKeys) error {
		infos, err := keys.List(ctx, c.Account)
		if authn.IsNotFound(err) {
			return fmt.Errorf("there is no account %q", c.Account)
		}
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "KEY\tNAME\tPREFIX\tSTATE\tCREATED\tEXPIRES\tLAST USED")
		for _, info := range infos {
			fmt.Fprintf(table, "%s\t%s\t%s…\t%s\t%s\t%s\t%s\n", info.KeyID, info.Name, info.Prefix, info.State(time.Now()),
				info.CreatedAt.UTC().Format(time.RFC3339), formatTime(info.ExpiresAt), formatTime(info.LastUsedAt))
		}
		return table.Flush()
	})
}

type revokeKey struct {
	Account string `help:"Account that the key belongs to."             placeholder:"NAME" required:""`
	Key     string `arg:"" help:"Key to revoke, such as k1; see keys list."`
}

// Run revokes.
func (c revokeKey) Run(ctx context.Context, cfg config.Config, logger *slog.Logger) error {
	return withKeys(ctx, cfg, logger, func(keys *authn.APIKeys) error {
		err := keys.RevokeNamed(ctx, c.Account, c.Key)
		if authn.IsNotFound(err) {
			return fmt.Errorf("account %q has no key %q", c.Account, c.Key)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "Key %s of account %q is revoked.\n", c.Key, c.Account)
		return nil
	})
}

// withKeys opens the database for one command, quietly.
func withKeys(ctx context.Context, cfg config.Config, _ *slog.Logger, fn func(*authn.APIKeys) error) error {
	a, err := app.Open(ctx, cfg, quietLogger(cfg), app.AttachDatabase)
	if err != nil {
		return err
	}
	defer a.Close()
	return fn(a.Keys)
}

// quietLogger is for short commands, whose own words are what people read.
func quietLogger(cfg config.Config) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: max(cfg.LogLevel, slog.LevelWarn)}))
}

func formatTime(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}
