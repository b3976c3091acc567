package authn

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
)

// NewKey describes a key to make.
type NewKey struct {
	AccountSlug string
	Name        string
	ExpiresAt   *time.Time // nil: never
}

// Create makes a key, and its account if need be, and returns the token. The token is stored nowhere.
func (k *APIKeys) Create(ctx context.Context, key NewKey) (string, error) {
	if err := CheckAccountSlug(key.AccountSlug); err != nil {
		return "", err
	}
	var text string
	err := k.pool.WithTx(ctx, func(db *postgres.DB) error {
		account, err := db.EnsureAccount(ctx, key.AccountSlug)
		if err != nil {
			return postgres.Classify(err)
		}
		text, err = k.create(ctx, db, account, key)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("create an API key: %w", err)
	}
	return text, nil
}

// create numbers keys within their account; EnsureAccount has locked its row.
func (k *APIKeys) create(ctx context.Context, db *postgres.DB, account dbgen.Account, key NewKey) (string, error) {
	number, err := db.NextAPIKeyNumber(ctx, account.ID)
	if err != nil {
		return "", postgres.Classify(err)
	}
	keyID := "k" + strconv.FormatInt(number, 10)
	text := mintToken(account.Slug, keyID)
	digest := k.fingerprint(text)
	_, err = db.CreateAPIKey(ctx, dbgen.CreateAPIKeyParams{
		AccountID: account.ID, KeyID: keyID, Name: key.Name, TokenHMAC: digest[:], ExpiresAt: key.ExpiresAt,
	})
	return text, postgres.Classify(err)
}

// KeyInfo is what may be told of a key.
type KeyInfo struct {
	dbgen.APIKey

	Prefix string // sk_{account}_{key}_
}

// State is one of active, expired and revoked.
func (i KeyInfo) State(now time.Time) string {
	switch {
	case i.RevokedAt != nil:
		return "revoked"
	case i.ExpiresAt != nil && !now.Before(*i.ExpiresAt):
		return "expired"
	default:
		return "active"
	}
}

// List returns the keys of an account, oldest first. The error is NotFound when there is no such account.
func (k *APIKeys) List(ctx context.Context, accountSlug string) ([]KeyInfo, error) {
	account, err := k.account(ctx, accountSlug)
	if err != nil {
		return nil, err
	}
	rows, err := k.pool.ListAPIKeys(ctx, account)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	infos := make([]KeyInfo, len(rows))
	for i, row := range rows {
		infos[i] = KeyInfo{APIKey: row, Prefix: displayPrefix(accountSlug, row.KeyID)}
	}
	return infos, nil
}

// Revoke ends a key, named by its identifier in the account (k1, k2, …). Every server refuses it within a second.
func (k *APIKeys) Revoke(ctx context.Context, accountSlug, keyID string) error {
	account, err := k.account(ctx, accountSlug)
	if err != nil {
		return err
	}
	_, err = k.pool.RevokeAPIKey(ctx, dbgen.RevokeAPIKeyParams{AccountID: account, KeyID: keyID})
	if err = postgres.Classify(err); err != nil {
		return fmt.Errorf("key %q of account %q: %w", keyID, accountSlug, err)
	}
	return nil
}

func (k *APIKeys) account(ctx context.Context, slug string) (uuid.UUID, error) {
	account, err := k.pool.GetAccountBySlug(ctx, slug)
	if err = postgres.Classify(err); err != nil {
		return uuid.UUID{}, fmt.Errorf("account %q: %w", slug, err)
	}
	return account.ID, nil
}

// ErrForeignPepper says that this database's keys were made with another pepper: every one of them would be refused.
var ErrForeignPepper = errors.New("the keys of this database were made with another VERSIONER_KEY_PEPPER: set the one it was first used with")

// CheckPepper compares the pepper with the one that the database was first used with.
func (k *APIKeys) CheckPepper(ctx context.Context) error {
	mac := hmac.New(sha256.New, k.pepper)
	_, _ = mac.Write([]byte("pepper check"))
	own := mac.Sum(nil)
	claimed, err := k.pool.ClaimInstance(ctx, own)
	if err != nil {
		return fmt.Errorf("check the pepper: %w", postgres.Classify(err))
	}
	if !hmac.Equal(own, claimed) {
		return ErrForeignPepper
	}
	return nil
}

// IsNotFound tells whether List or Revoke found no such account or key.
func IsNotFound(err error) bool {
	return err != nil && apperr.CodeOf(err) == apperr.NotFound
}
