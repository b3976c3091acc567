package app

import (
	"context"
	"fmt"
	"time"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/sessions"
)

func (a *App) keyring() (*keyring.Keyring, error) {
	secrets, err := a.cfg.LoadEncryptionKeys()
	if err != nil {
		return nil, err
	}
	ring, err := keyring.New(secrets...)
	if err != nil {
		return nil, fmt.Errorf("read VERSIONER_ENCRYPTION_KEYS: %w", err)
	}
	return ring, nil
}

func (a *App) reencryptChannels(ctx context.Context, channels notify.Channels) error {
	undecryptable, err := channels.ReencryptAll(ctx, a.Pool.DB)
	if undecryptable > 0 {
		a.logger.ErrorContext(ctx, "cannot decrypt notification channels; missing key in VERSIONER_ENCRYPTION_KEYS", "channels", undecryptable)
	}
	return err
}

func (a *App) reencryptSessions(ctx context.Context, stored *sessions.Sessions) error {
	undecryptable, err := stored.ReencryptAll(ctx)
	if undecryptable > 0 {
		a.logger.WarnContext(ctx, "cannot decrypt sessions, which end when they are refreshed; missing key in VERSIONER_ENCRYPTION_KEYS", "sessions", undecryptable)
	}
	return err
}

// FormerSecrets is what still uses other secrets than the first key and the first pepper.
type FormerSecrets struct {
	Channels, Sessions int64                                // encrypted with another key
	APIKeys            []dbgen.ListAPIKeysOfOtherPeppersRow // active, hashed with another pepper
	CalendarFeeds      int64                                // not revoked, hashed with another pepper
}

// IsEmpty reports whether only the first key and the first pepper are in use.
func (f FormerSecrets) IsEmpty() bool {
	return f.Channels == 0 && f.Sessions == 0 && len(f.APIKeys) == 0 && f.CalendarFeeds == 0
}

// FormerSecrets returns what still uses former secrets.
func (a *App) FormerSecrets(ctx context.Context) (former FormerSecrets, err error) {
	ring, err := a.keyring()
	if err != nil {
		return former, err
	}
	if former.Channels, err = a.Pool.CountChannelsEncryptedWithOtherKey(ctx, ring.KeyID()); err != nil {
		return former, postgres.Classify(err)
	}
	if former.Sessions, err = a.Pool.CountSessionsEncryptedWithOtherKey(ctx, ring.KeyID()); err != nil {
		return former, postgres.Classify(err)
	}
	if former.CalendarFeeds, err = a.Keys.CalendarFeedsOfOtherPeppers(ctx); err != nil {
		return former, err
	}
	former.APIKeys, err = a.Keys.KeysOfOtherPeppers(ctx)
	return former, err
}

// RotateSecrets encrypts every stored secret with the first key, makes the first pepper that of the database once no active API key and no
// calendar feed uses another one, and returns what still uses former secrets.
func (a *App) RotateSecrets(ctx context.Context) (former FormerSecrets, err error) {
	channels, err := a.Channels(ctx) // re-encrypts them
	if err != nil {
		return former, err
	}
	if err := a.reencryptSessions(ctx, sessions.New(a.Pool, a.Keys, channels.Keys, time.Now, a.logger)); err != nil {
		return former, err
	}
	if _, err := a.Keys.RotatePepper(ctx); err != nil {
		return former, err
	}
	return a.FormerSecrets(ctx)
}
