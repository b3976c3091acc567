package httpapi

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/calendarfeeds"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/postgres"
)

type calendarFeedHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
	feeds       *calendarfeeds.Feeds
}

// feedOwner returns whose feeds the user manages: nil are those of all users.
func feedOwner(principal authn.Principal) *uuid.UUID {
	if principal.Role == authz.Admin {
		return nil
	}
	return &principal.UserID
}

func (h calendarFeedHandlers) ListCalendarFeeds(ctx context.Context, req apigen.ListCalendarFeedsRequestObject) (apigen.ListCalendarFeedsResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.CalendarFeed, apigen.CalendarFeed]{
		scope: listScope{account: principal.AccountID, operation: "listCalendarFeeds", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.CalendarFeed, error) {
			rows, err := db.ListCalendarFeeds(ctx, dbgen.ListCalendarFeedsParams{
				AccountID: principal.AccountID, OwnerID: feedOwner(principal), AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.CalendarFeed) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPICalendarFeed,
	})
	return apigen.ListCalendarFeeds200JSONResponse{Items: items, NextCursor: next}, err
}

func (h calendarFeedHandlers) CreateCalendarFeed(ctx context.Context, req apigen.CreateCalendarFeedRequestObject) (apigen.CreateCalendarFeedResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "createCalendarFeed", key: req.Params.IdempotencyKey, onSecretReplay: auditFeedReplay(ctx)},
		apigen.CreateCalendarFeedResponseObject.VisitCreateCalendarFeedResponse, func(db *postgres.DB) (apigen.CreateCalendarFeedResponseObject, error) {
			created, err := h.feeds.Create(ctx, db, calendarfeeds.NewFeed{
				AccountID: principal.AccountID, UserID: principal.UserID, UserName: principal.UserName, Name: req.Body.Name,
			})
			if err != nil {
				return nil, err
			}
			return apigen.CreateCalendarFeed200JSONResponse(toAPICreatedFeed(created)), nil
		})
}

func (h calendarFeedHandlers) RevokeCalendarFeed(ctx context.Context, req apigen.RevokeCalendarFeedRequestObject) (apigen.RevokeCalendarFeedResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return apigen.RevokeCalendarFeed204Response{}, h.feeds.Revoke(ctx, h.db.Tenant(principal.AccountID), principal.AccountID, req.ID, feedOwner(principal))
}

// auditFeedReplay returns a function that records that a stored response showed a token again.
func auditFeedReplay(ctx context.Context) func(*postgres.DB, idempotency.Response) error {
	return func(tx *postgres.DB, stored idempotency.Response) error {
		var created apigen.CreatedCalendarFeed
		if err := json.Unmarshal(stored.Body, &created); err != nil {
			return fmt.Errorf("decode a stored calendar feed: %w", err)
		}
		return audit.Record(ctx, tx, audit.Change{
			AccountID: authn.PrincipalFrom(ctx).AccountID, Action: "calendar_feed.replay", ObjectType: "calendar_feed", ObjectID: created.ID, ObjectName: created.Name,
		})
	}
}

func toAPICalendarFeed(row dbgen.CalendarFeed) apigen.CalendarFeed {
	return apigen.CalendarFeed{
		ID: row.ID, Name: row.Name, CreatedBy: toNullable(row.CreatedBy), CreatedByName: row.CreatedByName, CreatedAt: row.CreatedAt.UTC(),
		LastUsedAt: toNullableTime(row.LastUsedAt),
	}
}

func toAPICreatedFeed(created calendarfeeds.CreatedFeed) apigen.CreatedCalendarFeed {
	feed := toAPICalendarFeed(created.CalendarFeed)
	return apigen.CreatedCalendarFeed{
		ID: feed.ID, Name: feed.Name, CreatedBy: feed.CreatedBy, CreatedByName: feed.CreatedByName, CreatedAt: feed.CreatedAt, LastUsedAt: feed.LastUsedAt,
		Token: created.Token, URL: created.URL,
	}
}
