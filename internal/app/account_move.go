package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/versioner-io/versioner/internal/accountmove"
	"github.com/versioner-io/versioner/internal/apperr"
)

// ExportAccount locks an account and writes it to w. wait is how long requests may take that were accepted before.
func (a *App) ExportAccount(ctx context.Context, slug string, wait time.Duration, w io.Writer) (accountmove.Manifest, error) {
	source, err := a.source(ctx, slug)
	if err != nil {
		return accountmove.Manifest{}, err
	}
	source.Wait = wait
	return accountmove.Export(ctx, source, w)
}

// AbandonAccountMove serves a locked account again.
func (a *App) AbandonAccountMove(ctx context.Context, slug string) error {
	source, err := a.source(ctx, slug)
	if err != nil {
		return err
	}
	return accountmove.Abandon(ctx, source)
}

func (a *App) source(ctx context.Context, slug string) (accountmove.Source, error) {
	account, err := a.Keys.AccountID(ctx, slug)
	if apperr.Is(err, apperr.NotFound) {
		return accountmove.Source{}, fmt.Errorf("there is no account %q", slug)
	}
	setMoving := func(isMoving bool) func(context.Context) error {
		return func(ctx context.Context) error { return a.Keys.SetAccountMoving(ctx, slug, isMoving) }
	}
	return accountmove.Source{DSN: a.database.DSN, Account: account, Lock: setMoving(true), Unlock: setMoving(false)}, err
}

// ImportAccount inserts an exported account.
func (a *App) ImportAccount(ctx context.Context, r io.Reader) (accountmove.Manifest, error) {
	ring, err := a.keyring()
	if err != nil {
		return accountmove.Manifest{}, err
	}
	return accountmove.Import(ctx, accountmove.Target{
		DSN: a.database.DSN, EnsurePartitions: a.Pool.EnsureEventPartitions, HasPepper: a.Keys.HasPepper, HasKey: ring.HasKey,
	}, r)
}
