package notify

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/internal/jobs"
	"github.com/versioner-io/versioner/internal/postgres"
)

const deliveryRetention = 90 * 24 * time.Hour

// Tasks delete deliveries, former days' usage and the recipients whose confirmation links have expired.
func Tasks(pool *postgres.Pool, clock func() time.Time) []jobs.Task {
	return []jobs.Task{
		{Name: "delete_deliveries", Run: func(ctx context.Context) error {
			before := clock().Add(-deliveryRetention)
			return jobs.DeleteInBatches(ctx, func(ctx context.Context) (int64, error) { return pool.DeleteExpiredDeliveries(ctx, &before) })
		}},
		{Name: "delete_unconfirmed_recipients", Run: func(ctx context.Context) error {
			return pool.DeleteUnconfirmedRecipients(ctx, clock().Add(-confirmationLifetime))
		}},
		{Name: "delete_notification_usage", Run: func(ctx context.Context) error { return pool.DeleteNotificationUsage(ctx, dayOf(clock())) }},
		{Name: "delete_confirmation_email_usage", Run: func(ctx context.Context) error { return pool.DeleteConfirmationEmailUsage(ctx, dayOf(clock())) }},
	}
}
