// Package apikeys manages the keys of CI systems: their life cycle, the format of their tokens and their last use. It verifies no
// request; package authn does.
package apikeys

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
)

// Keys manages API keys. They are stored as HMAC-SHA256(pepper, token): 256 random bits need no slow hash, and a slow hash would
// be a denial of service.
type Keys struct {
	MaxActive int // keys of an account that users create; 0 is unlimited

	pool     *postgres.Pool
	peppers  Peppers
	logger   *slog.Logger
	onChange func(id uuid.UUID)
}

// New returns the keys of a database.
func New(pool *postgres.Pool, peppers Peppers, logger *slog.Logger) *Keys {
	return &Keys{pool: pool, peppers: peppers, logger: logger, onChange: func(uuid.UUID) {}}
}

// OnChange registers what the caches of this process do when a key, a user or an account has changed. Other processes listen to the
// channel principal_changed.
func (k *Keys) OnChange(fn func(id uuid.UUID)) { k.onChange = fn }

// NewKey describes a key to create.
type NewKey struct {
	Name, Description string
	Scopes            []string   // what it may do; none: report events
	ExpiresAt         *time.Time // nil: never
	CreatedBy         *uuid.UUID // nil: a command
}

// The scopes of keys: reporting events, asking whether a deployment may start, and having skip_preflight_checks honoured.
const (
	EventsScope        = "events"
	PreflightScope     = "preflight"
	SkipPreflightScope = "skip_preflight"
)

// scopes returns the scopes of a new key, each once.
func (n NewKey) scopes() []string {
	if len(n.Scopes) == 0 {
		return []string{EventsScope}
	}
	return slices.Compact(slices.Sorted(slices.Values(n.Scopes)))
}

// CreatedKey is a new key with its token, which is not stored.
type CreatedKey struct {
	Info

	Token string
}

// CreateInAccount creates a key in the account of that slug, and the account if it is missing.
func (k *Keys) CreateInAccount(ctx context.Context, accountSlug string, key NewKey) (CreatedKey, error) {
	return k.CreateInAccountTx(ctx, k.pool.DB, accountSlug, key)
}

// CreateInAccountTx is CreateInAccount in a transaction of the owner.
func (k *Keys) CreateInAccountTx(ctx context.Context, db *postgres.DB, accountSlug string, key NewKey) (created CreatedKey, err error) {
	if err := ValidateAccountSlug(accountSlug); err != nil {
		return created, err
	}
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		account, err := db.EnsureAccount(ctx, dbgen.EnsureAccountParams{ID: uuid.Must(uuid.NewV7()), Slug: accountSlug, Now: time.Now()})
		if err != nil {
			return postgres.Classify(err)
		}
		created, err = k.create(ctx, db, account, key, "api_key.create")
		return err
	})
	return created, err
}

// Create creates a key in an account, whose handle or the owner's db is.
func (k *Keys) Create(ctx context.Context, db *postgres.DB, accountID uuid.UUID, key NewKey) (created CreatedKey, err error) {
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		account, err := db.LockAccount(ctx, accountID)
		if err != nil {
			return postgres.Classify(err)
		}
		if created, err = k.create(ctx, db, account, key, "api_key.create"); err != nil {
			return err
		}
		return quota.Check(ctx, db, accountID, quota.APIKeys, k.MaxActive)
	})
	return created, err
}

// create numbers the keys of an account, whose row is locked.
func (k *Keys) create(ctx context.Context, db *postgres.DB, account dbgen.Account, key NewKey, action string) (created CreatedKey, err error) {
	if key.ExpiresAt != nil && !key.ExpiresAt.After(time.Now()) {
		return created, apperr.NewInvalid(apperr.Field{Loc: []any{"body", "expires_at"}, Msg: "must be in the future", Type: "value_error.past"})
	}
	number, err := db.NextAPIKeyNumber(ctx, account.ID)
	if err != nil {
		return created, postgres.Classify(err)
	}
	keyID := "k" + strconv.FormatInt(number, 10)
	created.Token = newToken(account.Slug, keyID)
	created.Prefix = displayPrefix(account.Slug, keyID)
	hash := k.HMAC(created.Token)
	created.APIKey, err = db.CreateAPIKey(ctx, dbgen.CreateAPIKeyParams{
		AccountID: account.ID, ID: uuid.Must(uuid.NewV7()), Now: time.Now(), KeyID: keyID, Name: strings.TrimSpace(key.Name), Description: key.Description, TokenHMAC: hash[:],
		PepperID: k.peppers.id(), Scopes: key.scopes(), ExpiresAt: key.ExpiresAt, CreatedBy: key.CreatedBy,
	})
	if err != nil {
		return created, postgres.Classify(err)
	}
	return created, audit.Record(ctx, db, keyChange(created.APIKey, action, audit.Compare(nil, keyMembers(created.APIKey))))
}

// Patch holds the fields to change; nil stays.
type Patch struct{ Name, Description *string }

// Update changes the name and description of a key.
func (k *Keys) Update(ctx context.Context, db *postgres.DB, target etag.Ref, patch Patch) error {
	return k.change(ctx, db, target, "api_key.update", func(key *dbgen.APIKey) {
		key.Name = strings.TrimSpace(ptr.Or(patch.Name, key.Name))
		key.Description = ptr.Or(patch.Description, key.Description)
	})
}

// Revoke revokes a key permanently, on every server within a second. Revoking it again changes nothing.
func (k *Keys) Revoke(ctx context.Context, db *postgres.DB, target etag.Ref) error {
	return k.change(ctx, db, target, "api_key.revoke", func(key *dbgen.APIKey) {
		if key.RevokedAt == nil {
			now := time.Now()
			key.RevokedAt = &now
		}
	})
}

// Rotate creates a key like another one, which expires after the grace period. The error is Conflict when that one is expired or
// revoked.
func (k *Keys) Rotate(ctx context.Context, db *postgres.DB, accountID, id uuid.UUID, grace time.Duration, by *uuid.UUID) (created CreatedKey, err error) {
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		account, err := db.LockAccount(ctx, accountID)
		if err != nil {
			return postgres.Classify(err)
		}
		old, err := db.GetAPIKeyForUpdate(ctx, dbgen.GetAPIKeyForUpdateParams{AccountID: accountID, ID: id})
		if err != nil {
			return postgres.Classify(err)
		}
		if state := (Info{APIKey: old}).State(time.Now()); state != "active" {
			return apperr.New(apperr.Conflict, "The API key is "+state)
		}
		before, end := keyMembers(old), time.Now().Add(grace)
		if old.ExpiresAt == nil || old.ExpiresAt.After(end) {
			old.ExpiresAt = &end
		}
		if err := k.write(ctx, db, old, "api_key.rotate", audit.Compare(before, keyMembers(old))); err != nil {
			return err
		}
		created, err = k.create(ctx, db, account, NewKey{Name: old.Name, Description: old.Description, Scopes: old.Scopes, CreatedBy: by}, "api_key.create")
		if err != nil {
			return err
		}
		return quota.Check(ctx, db, accountID, quota.APIKeys, k.MaxActive)
	})
	return created, err
}

// change applies fn to a key, and writes it if that changes anything.
func (k *Keys) change(ctx context.Context, db *postgres.DB, target etag.Ref, action string, fn func(*dbgen.APIKey)) error {
	return db.WithTx(ctx, func(db *postgres.DB) error {
		key, err := db.GetAPIKeyForUpdate(ctx, dbgen.GetAPIKeyForUpdateParams{AccountID: target.AccountID, ID: target.ID})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := target.Verify(key.Revision); err != nil {
			return err
		}
		before := keyMembers(key)
		fn(&key)
		changed := audit.Compare(before, keyMembers(key))
		if len(changed) == 0 {
			return nil
		}
		return k.write(ctx, db, key, action, changed)
	})
}

func (k *Keys) write(ctx context.Context, db *postgres.DB, key dbgen.APIKey, action string, changed []audit.Value) error {
	_, err := db.UpdateAPIKey(ctx, dbgen.UpdateAPIKeyParams{
		AccountID: key.AccountID, ID: key.ID, Name: key.Name, Description: key.Description, ExpiresAt: key.ExpiresAt, RevokedAt: key.RevokedAt,
	})
	if err != nil {
		return postgres.Classify(err)
	}
	k.Announce(ctx, db, key.ID)
	return audit.Record(ctx, db, keyChange(key, action, changed))
}

// Announce makes every server drop what it has cached of keys, users or accounts, once the change is committed. When this server dies
// in between, other servers keep them until their cache entries expire.
func (k *Keys) Announce(ctx context.Context, db *postgres.DB, ids ...uuid.UUID) {
	db.AfterCommit(ctx, func(ctx context.Context) {
		for _, id := range ids {
			k.onChange(id)
			if err := k.pool.NotifyPrincipalChange(ctx, id); err != nil {
				k.logger.WarnContext(ctx, "failed to announce a changed principal", "id", id, "error", err)
			}
		}
	})
}

// keyMembers returns the members that the audit log has the values of.
func keyMembers(key dbgen.APIKey) []audit.Member {
	return []audit.Member{
		{Name: "name", Value: key.Name},
		{Name: "description", Value: key.Description},
		{Name: "scopes", Value: key.Scopes},
		{Name: "expires_at", Value: utc(key.ExpiresAt)},
		{Name: "revoked_at", Value: utc(key.RevokedAt)},
		{Name: "requests_per_minute", Value: key.RequestsPerMinute},
	}
}

// utc returns a time as the API shows it.
func utc(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	shown := at.UTC().Truncate(time.Microsecond)
	return &shown
}

func keyChange(key dbgen.APIKey, action string, values []audit.Value) audit.Change {
	return audit.Change{AccountID: key.AccountID, Action: action, ObjectType: "api_key", ObjectID: key.ID, ObjectName: key.Name, Values: values}
}

func accountChange(before, after dbgen.Account) audit.Change {
	return audit.Change{
		AccountID: after.ID, Action: "account.limit", ObjectType: "account", ObjectID: after.ID, ObjectName: after.Slug, Values: audit.Compare(accountMembers(before), accountMembers(after)),
	}
}

func accountMembers(account dbgen.Account) []audit.Member {
	return []audit.Member{{Name: "requests_per_hour", Value: account.RequestsPerHour}, {Name: "deliveries_per_day", Value: account.DeliveriesPerDay}}
}

// HMAC returns the hash by which a new token is stored.
func (k *Keys) HMAC(token string) [sha256.Size]byte { return k.peppers.HMAC(token) }

// HMACs returns the hashes by which a token may be stored.
func (k *Keys) HMACs(token string) [][]byte { return k.peppers.HMACs(token) }

// PepperID returns the identifier of the pepper of HMAC, which is stored beside the hash.
func (k *Keys) PepperID() []byte { return k.peppers.id() }

// Derive returns secrets for another purpose than hashing API keys, the newest first.
func (k *Keys) Derive(purpose string) Peppers { return k.peppers.Derive(purpose) }

// Info is a key without its secret.
type Info struct {
	dbgen.APIKey

	Prefix string // sk_{account}_{key}_
}

// InfoOf returns the information on a key of the account.
func InfoOf(accountSlug string, key dbgen.APIKey) Info {
	return Info{APIKey: key, Prefix: displayPrefix(accountSlug, key.KeyID)}
}

// State is one of active, expired and revoked.
func (i Info) State(now time.Time) string {
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
func (k *Keys) List(ctx context.Context, accountSlug string) ([]Info, error) {
	account, err := k.account(ctx, accountSlug)
	if err != nil {
		return nil, err
	}
	rows, err := k.pool.ListAPIKeys(ctx, account)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	infos := make([]Info, len(rows))
	for i, row := range rows {
		infos[i] = InfoOf(accountSlug, row)
	}
	return infos, nil
}

// SetAccountLimit sets the requests per hour of an account: 0 is unlimited, nil the server-wide default.
func (k *Keys) SetAccountLimit(ctx context.Context, accountSlug string, requestsPerHour *int32) error {
	account, err := k.account(ctx, accountSlug)
	if err != nil {
		return err
	}
	return k.pool.WithTx(ctx, func(db *postgres.DB) error {
		before, err := db.LockAccount(ctx, account)
		if err != nil {
			return postgres.Classify(err)
		}
		after, err := db.SetAccountLimit(ctx, dbgen.SetAccountLimitParams{AccountID: account, RequestsPerHour: requestsPerHour})
		if err != nil {
			return postgres.Classify(err)
		}
		k.Announce(ctx, db, account)
		return audit.Record(ctx, db, accountChange(before, after))
	})
}

// AccountID returns the identifier of an account. The error is NotFound when there is no such account.
func (k *Keys) AccountID(ctx context.Context, accountSlug string) (uuid.UUID, error) {
	return k.account(ctx, accountSlug)
}

// SetAccountMoving makes every server answer requests of an account with 503 while it is moved to another database.
func (k *Keys) SetAccountMoving(ctx context.Context, accountSlug string, isMoving bool) error {
	account, err := k.account(ctx, accountSlug)
	if err != nil {
		return err
	}
	var since *time.Time
	if isMoving {
		now := time.Now()
		since = &now
	}
	if _, err := k.pool.SetAccountMoving(ctx, dbgen.SetAccountMovingParams{AccountID: account, MovingSince: since}); err != nil {
		return postgres.Classify(err)
	}
	k.Announce(ctx, k.pool.DB, account)
	return nil
}

// SetDeliveryLimit sets the notifications per day of an account: 0 is unlimited, nil the server-wide default.
func (k *Keys) SetDeliveryLimit(ctx context.Context, accountSlug string, deliveriesPerDay *int32) error {
	account, err := k.account(ctx, accountSlug)
	if err != nil {
		return err
	}
	return k.pool.WithTx(ctx, func(db *postgres.DB) error {
		before, err := db.LockAccount(ctx, account)
		if err != nil {
			return postgres.Classify(err)
		}
		after, err := db.SetDeliveryLimit(ctx, dbgen.SetDeliveryLimitParams{AccountID: account, DeliveriesPerDay: deliveriesPerDay})
		if err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, accountChange(before, after))
	})
}

// SetKeyLimit sets the requests per minute of a key: 0 is unlimited, nil the server-wide default.
func (k *Keys) SetKeyLimit(ctx context.Context, accountSlug, keyID string, requestsPerMinute *int32) error {
	account, err := k.account(ctx, accountSlug)
	if err != nil {
		return err
	}
	return k.pool.WithTx(ctx, func(db *postgres.DB) error {
		before, err := db.GetAPIKeyByKeyIDForUpdate(ctx, dbgen.GetAPIKeyByKeyIDForUpdateParams{AccountID: account, KeyID: keyID})
		if err != nil {
			return postgres.Classify(err)
		}
		key, err := db.SetAPIKeyLimit(ctx, dbgen.SetAPIKeyLimitParams{AccountID: account, KeyID: keyID, RequestsPerMinute: requestsPerMinute})
		if err != nil {
			return postgres.Classify(err)
		}
		k.Announce(ctx, db, key.ID)
		return audit.Record(ctx, db, keyChange(key, "api_key.limit", audit.Compare(keyMembers(before), keyMembers(key))))
	})
}

// RevokeByKeyID revokes the key with that identifier in the account (k1, k2, …).
func (k *Keys) RevokeByKeyID(ctx context.Context, accountSlug, keyID string) error {
	infos, err := k.List(ctx, accountSlug)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if info.KeyID == keyID {
			return k.Revoke(ctx, k.pool.DB, etag.Ref{AccountID: info.AccountID, ID: info.ID})
		}
	}
	return apperr.New(apperr.NotFound, "Not found")
}

func (k *Keys) account(ctx context.Context, slug string) (uuid.UUID, error) {
	account, err := k.pool.GetAccountBySlug(ctx, slug)
	if err = postgres.Classify(err); err != nil {
		return uuid.UUID{}, fmt.Errorf("account %q: %w", slug, err)
	}
	return account.ID, nil
}
