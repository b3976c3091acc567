package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/config"
)

type limitsCommand struct {
	Account    limitAccount    `cmd:"" help:"Set the requests per hour of an account."`
	Key        limitKey        `cmd:"" help:"Set the requests per minute of an API key."`
	Deliveries limitDeliveries `cmd:"" help:"Set the notifications per day of an account."`
}

type limitAccount struct {
	config.DatabaseSettings

	Account string `arg:"" help:"Account to limit."`
	PerHour limit  `arg:"" help:"Number of requests; 0: unlimited; default: the server-wide limit."`
}

// Run takes effect on every server within one second.
func (c limitAccount) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withKeys(ctx, cfg, abort, func(keys *apikeys.Keys) error {
		err := keys.SetAccountLimit(ctx, c.Account, c.PerHour.requests)
		if apperr.Is(err, apperr.NotFound) {
			return fmt.Errorf("there is no account %q", c.Account)
		}
		if err == nil {
			fmt.Fprintf(os.Stderr, "Account %q: %s per hour.\n", c.Account, c.PerHour)
		}
		return err
	})
}

type limitDeliveries struct {
	config.DatabaseSettings

	Account string `arg:"" help:"Account to limit."`
	PerDay  limit  `arg:"" help:"Number of notifications; 0: unlimited; default: the server-wide limit."`
}

// Run takes effect at once on every server.
func (c limitDeliveries) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withKeys(ctx, cfg, abort, func(keys *apikeys.Keys) error {
		err := keys.SetDeliveryLimit(ctx, c.Account, c.PerDay.requests)
		if apperr.Is(err, apperr.NotFound) {
			return fmt.Errorf("there is no account %q", c.Account)
		}
		if err == nil {
			fmt.Fprintf(os.Stderr, "Account %q: %s per day.\n", c.Account, strings.Replace(c.PerDay.String(), "requests", "notifications", 1))
		}
		return err
	})
}

type limitKey struct {
	config.DatabaseSettings

	Account   string `arg:"" help:"Account of the key."`
	Key       string `arg:"" help:"Key, such as k1, as keys list prints it."`
	PerMinute limit  `arg:"" help:"Number of requests; 0: unlimited; default: the server-wide limit."`
}

// Run takes effect on every server within one second.
func (c limitKey) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	return withKeys(ctx, cfg, abort, func(keys *apikeys.Keys) error {
		err := keys.SetKeyLimit(ctx, c.Account, c.Key, c.PerMinute.requests)
		if apperr.Is(err, apperr.NotFound) {
			return fmt.Errorf("account %q has no key %q", c.Account, c.Key)
		}
		if err == nil {
			fmt.Fprintf(os.Stderr, "Key %s of account %q: %s per minute.\n", c.Key, c.Account, c.PerMinute)
		}
		return err
	})
}

// limit is a number of requests; nil is the server-wide limit.
type limit struct{ requests *int32 }

// UnmarshalText is called by kong.
func (l *limit) UnmarshalText(text []byte) error {
	if string(text) == "default" {
		return nil
	}
	number, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil || number < 0 {
		return fmt.Errorf("%q is not a number of requests: use one such as 5000, 0 for unlimited, or default", text)
	}
	requests := int32(number)
	l.requests = &requests
	return nil
}

// String describes the limit.
func (l limit) String() string {
	switch {
	case l.requests == nil:
		return "the server-wide default"
	case *l.requests == 0:
		return "an unlimited number of requests"
	}
	return strconv.Itoa(int(*l.requests)) + " requests"
}
