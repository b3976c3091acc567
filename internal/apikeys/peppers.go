package apikeys

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
)

const pepperIDSize = 8

// Peppers are the secrets that tokens are hashed with, the newest first. The first one hashes; a token is recognised by its hash under
// any of them, so that a pepper can be replaced while the tokens stay valid.
type Peppers [][]byte

// HMAC returns the hash of a token under the first pepper.
func (p Peppers) HMAC(token string) [sha256.Size]byte { return [sha256.Size]byte(digest(p[0], token)) }

// HMACs returns the hash of a token under each pepper.
func (p Peppers) HMACs(token string) [][]byte {
	hashes := make([][]byte, len(p))
	for i, pepper := range p {
		hashes[i] = digest(pepper, token)
	}
	return hashes
}

// Derive returns secrets for another purpose than hashing API keys.
func (p Peppers) Derive(purpose string) Peppers { return p.HMACs("derived key: " + purpose) }

// verifier identifies a pepper in the database without revealing it.
func verifier(pepper []byte) []byte { return digest(pepper, "pepper check") }

// Match reports whether a verifier, which a database or its backup contains, is that of one of the peppers.
func (p Peppers) Match(stored []byte) bool {
	return slices.ContainsFunc(p, func(pepper []byte) bool { return hmac.Equal(verifier(pepper), stored) })
}

// id returns the identifier of the first pepper: the beginning of its verifier.
func (p Peppers) id() []byte { return verifier(p[0])[:pepperIDSize] }

func digest(pepper []byte, text string) []byte {
	mac := hmac.New(sha256.New, pepper)
	_, _ = mac.Write([]byte(text))
	return mac.Sum(nil)
}

// ErrPepperMismatch means that the pepper of the database is not configured: keys would be refused.
var ErrPepperMismatch = errors.New("VERSIONER_KEY_PEPPER does not match this database: set the one that it was first used with, or last rotated to, and further ones behind a comma")

// HasPepper reports whether the pepper with that identifier is configured.
func (k *Keys) HasPepper(id []byte) bool {
	return slices.ContainsFunc(k.peppers, func(pepper []byte) bool { return bytes.Equal(verifier(pepper)[:pepperIDSize], id) })
}

// VerifyPepper requires the pepper of the database: the one that it was first used with, or last rotated to.
func (k *Keys) VerifyPepper(ctx context.Context) error {
	stored, err := k.pepperVerifier(ctx)
	if err != nil {
		return err
	}
	if !k.peppers.Match(stored) {
		return ErrPepperMismatch
	}
	return nil
}

func (k *Keys) pepperVerifier(ctx context.Context) ([]byte, error) {
	stored, err := k.pool.EnsureClusterIdentity(ctx, dbgen.EnsureClusterIdentityParams{PepperVerifier: verifier(k.peppers[0]), Now: time.Now()})
	if err != nil {
		return nil, fmt.Errorf("check the pepper: %w", postgres.Classify(err))
	}
	return stored, nil
}

// Rehash stores the hash of a valid token under the first pepper. A failure is logged only: it must not fail a request, and the
// former hash is valid as long as its pepper is configured.
func (k *Keys) Rehash(ctx context.Context, key dbgen.APIKey, token string) {
	hash := k.peppers.HMAC(token)
	if hmac.Equal(hash[:], key.TokenHMAC) {
		return
	}
	err := k.pool.RehashAPIKey(ctx, dbgen.RehashAPIKeyParams{
		AccountID: key.AccountID, ID: key.ID, TokenHMAC: hash[:], PepperID: k.peppers.id(), Former: key.TokenHMAC,
	})
	if err != nil {
		k.logger.WarnContext(ctx, "failed to hash an API key with the first pepper", "api_key_id", key.ID, "error", err)
	}
}

// RotatePepper makes the first pepper that of the database, unless active keys or calendar feeds use another one. It returns those keys,
// which change to the first pepper when they are used, as feeds do.
func (k *Keys) RotatePepper(ctx context.Context) (remaining []dbgen.ListAPIKeysOfOtherPeppersRow, err error) {
	stored, err := k.pepperVerifier(ctx)
	if err != nil {
		return nil, err
	}
	remaining, err = k.KeysOfOtherPeppers(ctx)
	if err != nil || len(remaining) > 0 {
		return remaining, err
	}
	if feeds, err := k.CalendarFeedsOfOtherPeppers(ctx); err != nil || feeds > 0 {
		return nil, err
	}
	_, err = k.pool.ReplacePepperVerifier(ctx, dbgen.ReplacePepperVerifierParams{PepperVerifier: verifier(k.peppers[0]), Former: stored})
	return nil, postgres.Classify(err)
}

// CalendarFeedsOfOtherPeppers counts the calendar feeds of all accounts whose hash is under another pepper than the first one.
func (k *Keys) CalendarFeedsOfOtherPeppers(ctx context.Context) (int64, error) {
	count, err := k.pool.CountCalendarFeedsOfOtherPeppers(ctx, k.peppers.id())
	return count, postgres.Classify(err)
}

// KeysOfOtherPeppers returns the active keys of all accounts whose hash is under another pepper than the first one.
func (k *Keys) KeysOfOtherPeppers(ctx context.Context) ([]dbgen.ListAPIKeysOfOtherPeppersRow, error) {
	rows, err := k.pool.ListAPIKeysOfOtherPeppers(ctx, dbgen.ListAPIKeysOfOtherPeppersParams{PepperID: k.peppers.id(), Now: time.Now()})
	return rows, postgres.Classify(err)
}
