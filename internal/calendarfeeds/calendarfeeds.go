// Package calendarfeeds manages the addresses at which calendar programs read the deployment calendar: their life cycle and tokens. It
// verifies no request; package authn does.
package calendarfeeds

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
)

const (
	// Path is the path of the calendar.
	Path = "/deployment-calendar.ics"
	// TokenParameter is the query parameter with the token of a feed.
	TokenParameter = "token"

	tokenPrefix   = "cal_"
	touchInterval = time.Hour
)

// Feeds manages calendar feeds. They are stored by the hash of their token, with the peppers of API keys.
type Feeds struct {
	MaxActive int // feeds of an account; 0 is unlimited

	pool      *postgres.Pool
	keys      *apikeys.Keys
	publicURL string // without a slash at its end; empty: unknown
	logger    *slog.Logger
}

// New returns the feeds of a database. publicURL is the address of the server.
func New(pool *postgres.Pool, keys *apikeys.Keys, publicURL string, logger *slog.Logger) *Feeds {
	return &Feeds{pool: pool, keys: keys, publicURL: publicURL, logger: logger}
}

// NewFeed describes a feed to create.
type NewFeed struct {
	AccountID, UserID uuid.UUID
	UserName          string
	Name              string
}

// CreatedFeed is a new feed with its token, which is not stored, and its address.
type CreatedFeed struct {
	dbgen.CalendarFeed

	Token, URL string
}

// Create creates a feed.
func (f *Feeds) Create(ctx context.Context, db *postgres.DB, feed NewFeed) (created CreatedFeed, err error) {
	created.Token = apikeys.NewSecret(tokenPrefix)
	created.URL = f.publicURL + Path + "?" + url.Values{TokenParameter: {created.Token}}.Encode()
	hash := f.keys.HMAC(created.Token)
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		created.CalendarFeed, err = db.CreateCalendarFeed(ctx, dbgen.CreateCalendarFeedParams{
			AccountID: feed.AccountID, ID: uuid.Must(uuid.NewV7()), Name: strings.TrimSpace(feed.Name), TokenHMAC: hash[:], PepperID: f.keys.PepperID(),
			CreatedBy: feed.UserID, CreatedByName: feed.UserName, Now: time.Now(),
		})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := audit.Record(ctx, db, change(created.CalendarFeed, "calendar_feed.create", audit.Compare(nil, members(created.CalendarFeed)))); err != nil {
			return err
		}
		return quota.Check(ctx, db, feed.AccountID, quota.CalendarFeeds, f.MaxActive)
	})
	return created, err
}

// Revoke revokes a feed permanently, on every server within a second. The error is NotFound when the account has no such feed, or only
// of another user than the owner; nil: of any user.
func (f *Feeds) Revoke(ctx context.Context, db *postgres.DB, accountID, id uuid.UUID, owner *uuid.UUID) error {
	return db.WithTx(ctx, func(db *postgres.DB) error {
		feed, err := db.RevokeCalendarFeed(ctx, dbgen.RevokeCalendarFeedParams{AccountID: accountID, ID: id, OwnerID: owner, Now: time.Now()})
		if err != nil {
			return postgres.Classify(err)
		}
		f.keys.Announce(ctx, db, id)
		before := feed
		before.RevokedAt = nil
		return audit.Record(ctx, db, change(feed, "calendar_feed.revoke", audit.Compare(members(before), members(feed))))
	})
}

// Find returns the feed of a token. The error is NotFound when there is none, or it is revoked. The use of the feed is recorded, at most
// once an hour, and the hash is replaced by that with the first pepper; a failure of either is logged only.
func (f *Feeds) Find(ctx context.Context, token string) (found dbgen.GetCalendarFeedByHMACRow, err error) {
	if !apikeys.IsSecret(tokenPrefix, token) {
		return found, apperr.New(apperr.NotFound, "not a token of a calendar feed")
	}
	hashes := f.keys.HMACs(token)
	err = postgres.Retry(ctx, func(ctx context.Context) error {
		found, err = f.pool.GetCalendarFeedByHMAC(ctx, hashes)
		return err
	})
	if err != nil {
		return found, postgres.Classify(err)
	}
	feed, now := found.CalendarFeed, time.Now()
	if feed.LastUsedAt == nil || now.Sub(*feed.LastUsedAt) >= touchInterval {
		err := f.pool.TouchCalendarFeed(ctx, dbgen.TouchCalendarFeedParams{AccountID: feed.AccountID, ID: feed.ID, Now: now})
		if err != nil {
			f.logger.WarnContext(ctx, "failed to record the use of a calendar feed", "calendar_feed_id", feed.ID, "error", err)
		}
	}
	if hash := hashes[0]; !bytes.Equal(hash, feed.TokenHMAC) {
		err := f.pool.RehashCalendarFeed(ctx, dbgen.RehashCalendarFeedParams{
			AccountID: feed.AccountID, ID: feed.ID, TokenHMAC: hash, PepperID: f.keys.PepperID(), Former: feed.TokenHMAC,
		})
		if err != nil {
			f.logger.WarnContext(ctx, "failed to hash a calendar feed with the first pepper", "calendar_feed_id", feed.ID, "error", err)
		}
	}
	return found, nil
}

// HMAC returns the hash by which a token is stored.
func (f *Feeds) HMAC(token string) [32]byte { return f.keys.HMAC(token) }

// members returns the members that the audit log has the values of.
func members(feed dbgen.CalendarFeed) []audit.Member {
	var revokedAt *time.Time
	if feed.RevokedAt != nil {
		revokedAt = new(feed.RevokedAt.UTC().Truncate(time.Microsecond))
	}
	return []audit.Member{{Name: "name", Value: feed.Name}, {Name: "revoked_at", Value: revokedAt}}
}

func change(feed dbgen.CalendarFeed, action string, values []audit.Value) audit.Change {
	return audit.Change{AccountID: feed.AccountID, Action: action, ObjectType: "calendar_feed", ObjectID: feed.ID, ObjectName: feed.Name, Values: values}
}
