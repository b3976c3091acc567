package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/config"
)

type limitsCommand struct {
	Account limitAccount `cmd:"" help:"Say how many requests an hour an account may send."`
	Key     limitKey     `cmd:"" help:"Say how many requests a minute a key may send."`
}

type limitAccount struct {
	Account string `arg:"" help:"Account."`
	PerHour limit  `arg:"" help:"Number of requests; 0: any number; default: what the server says."`
}

// Run is heard by every server within a second.
func (c limitAccount) Run(ctx context.Context, cfg config.Config, logger *slog.Logger) error {
	return withKeys(ctx, cfg, logger, func(keys *authn.APIKeys) error {
		err := keys.SetAccountLimit(ctx, c.Account, c.PerHour.requests)
		if authn.IsNotFound(err) {
			return fmt.Errorf("there is no account %q", c.Account)
		}
		if err == nil {
			fmt.Fprintf(os.Stderr, "Account %q may send %s an hour.\n", c.Account, c.PerHour)
		}
		return err
	})
}

type limitKey struct {
	Account   string `arg:"" help:"Account that the key belongs to."`
	Key       string `arg:"" help:"Key, such as k1; see keys list."`
	PerMinute limit  `arg:"" help:"Number of requests; 0: any number; default: what the server says."`
}

// Run is heard by every server within a second.
func (c limitKey) Run(ctx context.Context, cfg config.Config, logger *slog.Logger) error {
	return withKeys(ctx, cfg, logger, func(keys *authn.APIKeys) error {
		err := keys.SetKeyLimit(ctx, c.Account, c.Key, c.PerMinute.requests)
		if authn.IsNotFound(err) {
			return fmt.Errorf("account %q has no key %q", c.Account, c.Key)
		}
		if err == nil {
			fmt.Fprintf(os.Stderr, "Key %s of account %q may send %s a minute.\n", c.Key, c.Account, c.PerMinute)
		}
		return err
	})
}

// limit is a number of requests; nil is what the server says.
type limit struct{ requests *int32 }

// UnmarshalText is called by kong.
func (l *limit) UnmarshalText(text []byte) error {
	if string(text) == "default" {
		return nil
	}
	number, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil || number < 0 {
		return fmt.Errorf("%q is not a number of requests: use one such as 5000, 0 for any number, or default", text)
	}
	requests := int32(number)
	l.requests = &requests
	return nil
}

// String says it in words.
func (l limit) String() string {
	switch {
	case l.requests == nil:
		return "as many requests as the server says"
	case *l.requests == 0:
		return "any number of requests"
	}
	return strconv.Itoa(int(*l.requests)) + " requests"
}
