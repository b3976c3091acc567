// Package quota caps the number of objects of an account, so that no account can grow lists and look-ups without bound.
package quota

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
)

// Limits are the maximum numbers of objects of each kind in one account, and of names of one product or environment; 0 is unlimited.
type Limits struct{ Products, Environments, Channels, Preferences, APIKeys, CalendarFeeds, OpenReleases, Variables, DeploymentTemplates, Names int }

// Kind is a kind of objects, as messages name it.
type Kind string

// The kinds.
const (
	Products            Kind = "products"
	Environments        Kind = "environments"
	Channels            Kind = "notification channels"
	Preferences         Kind = "notification preferences"
	APIKeys             Kind = "active API keys" //nolint:gosec // not a credential
	CalendarFeeds       Kind = "calendar feeds"
	OpenReleases        Kind = "open releases"
	Variables           Kind = "variables"
	DeploymentTemplates Kind = "deployment templates"

	OpenDeploymentRequests     Kind = "open deployment requests"
	DeploymentRequestTemplates Kind = "deployment request templates"
)

// Check returns an error when the account has more objects of the kind than the limit. It runs in the transaction that has
// inserted an object, and blocks until concurrent insertions of the kind have been committed or rolled back.
func Check(ctx context.Context, db *postgres.DB, accountID uuid.UUID, kind Kind, limit int) error {
	if limit == 0 {
		return nil
	}
	if err := db.LockQuota(ctx, dbgen.LockQuotaParams{AccountID: accountID, Kind: string(kind)}); err != nil {
		return postgres.Classify(err)
	}
	count, err := count(ctx, db, accountID, kind)
	if err != nil {
		return postgres.Classify(err)
	}
	if count > int64(limit) {
		return Exceeded(kind, limit, "body")
	}
	return nil
}

// Exceeded returns the error for an object beyond the limit, which the request names at loc.
func Exceeded(kind Kind, limit int, loc ...any) *apperr.Error {
	return apperr.NewInvalid(apperr.Field{Loc: loc, Msg: fmt.Sprintf("the account has reached its maximum of %d %s", limit, kind), Type: "value_error.quota"})
}

func count(ctx context.Context, db *postgres.DB, accountID uuid.UUID, kind Kind) (int64, error) {
	switch kind {
	case Products:
		return db.CountProducts(ctx, accountID)
	case Environments:
		return db.CountEnvironments(ctx, accountID)
	case Channels:
		return db.CountNotificationChannels(ctx, accountID)
	case Preferences:
		return db.CountNotificationPreferences(ctx, accountID)
	case APIKeys:
		return db.CountActiveAPIKeys(ctx, dbgen.CountActiveAPIKeysParams{AccountID: accountID, Now: time.Now()})
	case CalendarFeeds:
		return db.CountCalendarFeeds(ctx, accountID)
	case OpenReleases:
		return db.CountOpenReleases(ctx, accountID)
	case Variables:
		return db.CountVariables(ctx, accountID)
	case DeploymentTemplates:
		return db.CountDeploymentTemplates(ctx, accountID)
	case OpenDeploymentRequests:
		return db.CountOpenDeploymentRequests(ctx, accountID)
	case DeploymentRequestTemplates:
		return db.CountDeploymentRequestTemplates(ctx, accountID)
	default:
		return 0, fmt.Errorf("unknown kind %q", kind)
	}
}
