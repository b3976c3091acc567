package notify

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
)

// The kinds of usage that a daily quota bounds.
const (
	usageDelivery          = "delivery"
	usageConfirmationEmail = "confirmation_email"
)

// grant is the part of an amount that a quota allows.
type grant struct {
	allowed int
	limit   int
	isFirst bool // the first amount of the day that exceeds the quota
}

// grantOf decides on an amount, given the sum of the day that includes it. A limit of 0 allows everything.
func grantOf(used int64, amount, limit int) grant {
	if limit == 0 {
		return grant{allowed: amount}
	}
	before := used - int64(amount)
	allowed := int(min(int64(amount), max(0, int64(limit)-before)))
	return grant{allowed: allowed, limit: limit, isFirst: allowed < amount && before <= int64(limit)}
}

// reserve adds an amount to an account's usage of the day. The account's own limit of deliveries replaces the given one. The row stays locked until the transaction ends, so that concurrent
// reservations are exact.
func reserve(ctx context.Context, db *postgres.DB, accountID uuid.UUID, kind string, amount, limit int) (grant, error) {
	usage, err := db.AddNotificationUsage(ctx, dbgen.AddNotificationUsageParams{
		AccountID: accountID, Day: dayOf(time.Now()), Kind: kind, Amount: int64(amount),
	})
	if err != nil {
		return grant{}, postgres.Classify(err)
	}
	if kind == usageDelivery && usage.DeliveriesPerDay != nil {
		limit = int(*usage.DeliveriesPerDay)
	}
	return grantOf(usage.Used, amount, limit), nil
}

// deliveryQuota bounds the notifications that an account sends in a day.
type deliveryQuota struct {
	perDay   int
	hasEmail bool
	logger   *slog.Logger
}

// reserve adds deliveries to an account's usage of the day. The account's admins get an e-mail when they are the first that exceed the quota.
func (q deliveryQuota) reserve(ctx context.Context, db *postgres.DB, account uuid.UUID, amount int) (grant, error) {
	granted, err := reserve(ctx, db, account, usageDelivery, amount, q.perDay)
	if err == nil && granted.isFirst && q.hasEmail {
		err = enqueueAdminEmails(ctx, db, account, quotaText(granted.limit))
	}
	return granted, err
}

// warn logs the first excess of a day, after its transaction.
func (q deliveryQuota) warn(ctx context.Context, account uuid.UUID, granted grant) {
	if granted.isFirst {
		q.logger.WarnContext(ctx, "account reached its daily quota of notifications", "account_id", account, "quota", granted.limit)
	}
}

// reserveOrReject is reserve for a request of a user: it rejects what exceeds the quota.
func reserveOrReject(ctx context.Context, db *postgres.DB, accountID uuid.UUID, kind string, amount, limit int) error {
	granted, err := reserve(ctx, db, accountID, kind, amount, limit)
	if err == nil && granted.allowed < amount {
		err = apperr.NewRateLimited(untilNextDay(time.Now()))
	}
	return err
}

// dayOf returns the day of a time, in UTC.
func dayOf(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }

func untilNextDay(now time.Time) time.Duration { return dayOf(now).Add(24 * time.Hour).Sub(now) }

// quotaText is the message to the account's admins.
func quotaText(limit int) string {
	return fmt.Sprintf("The account has reached its quota of %d notifications a day: until midnight UTC further ones are recorded, but not sent", limit)
}
