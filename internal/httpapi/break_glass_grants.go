package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

type breakGlassHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
}

func (h breakGlassHandlers) ListBreakGlassGrants(ctx context.Context, req apigen.ListBreakGlassGrantsRequestObject) (apigen.ListBreakGlassGrantsResponseObject, error) {
	account, now := authn.PrincipalFrom(ctx).AccountID, time.Now()
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.ListBreakGlassGrantsRow, apigen.BreakGlassGrant]{
		scope: listScope{account: account, operation: "listBreakGlassGrants", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.ListBreakGlassGrantsRow, error) {
			rows, err := db.ListBreakGlassGrants(ctx, dbgen.ListBreakGlassGrantsParams{AccountID: account, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit})
			return rows, postgres.Classify(err)
		},
		at: func(row dbgen.ListBreakGlassGrantsRow) keyset {
			return keyset{at: row.BreakGlassGrant.CreatedAt, id: row.BreakGlassGrant.ID}
		},
		item: func(row dbgen.ListBreakGlassGrantsRow) apigen.BreakGlassGrant {
			return toAPIGrant(row.BreakGlassGrant, row.ProductName, row.EnvironmentName, now)
		},
	})
	return apigen.ListBreakGlassGrants200JSONResponse{Items: items, NextCursor: next}, err
}

func (h breakGlassHandlers) GetBreakGlassGrant(ctx context.Context, req apigen.GetBreakGlassGrantRequestObject) (apigen.GetBreakGlassGrantResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	grant, tag, err := getGrant(ctx, h.db.Tenant(account), account, req.ID)
	return apigen.GetBreakGlassGrant200JSONResponse{Body: grant, Headers: apigen.GetBreakGlassGrant200ResponseHeaders{ETag: tag}}, err
}

// getGrant returns a grant and its entity tag.
func getGrant(ctx context.Context, db *postgres.DB, account, id uuid.UUID) (apigen.BreakGlassGrant, string, error) {
	row, err := db.GetBreakGlassGrant(ctx, dbgen.GetBreakGlassGrantParams{AccountID: account, ID: id})
	return toAPIGrant(row.BreakGlassGrant, row.ProductName, row.EnvironmentName, time.Now()), etag.Of(row.BreakGlassGrant.Revision), postgres.Classify(err)
}

func (h breakGlassHandlers) CreateBreakGlassGrant(ctx context.Context, req apigen.CreateBreakGlassGrantRequestObject) (apigen.CreateBreakGlassGrantResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "createBreakGlassGrant", key: req.Params.IdempotencyKey},
		apigen.CreateBreakGlassGrantResponseObject.VisitCreateBreakGlassGrantResponse, func(db *postgres.DB) (apigen.CreateBreakGlassGrantResponseObject, error) {
			id, err := governance.Grants{DB: db, EmailAdmins: notify.EmailAdmins}.Create(ctx, principal.AccountID, governance.NewGrant{
				ProductID: req.Body.ProductID, EnvironmentID: req.Body.EnvironmentID, Version: req.Body.Version, Reason: req.Body.Reason,
				Minutes: req.Body.Minutes, RuleTypes: convertAll[policy.RuleType](req.Body.RuleTypes),
			}, actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			grant, tag, err := getGrant(ctx, db, principal.AccountID, id)
			return apigen.CreateBreakGlassGrant201JSONResponse{
				Body: grant, Headers: apigen.CreateBreakGlassGrant201ResponseHeaders{ETag: tag, Location: locationOf("/break-glass-grants/", id)},
			}, err
		})
}

func (h breakGlassHandlers) ConfirmBreakGlassGrant(ctx context.Context, req apigen.ConfirmBreakGlassGrantRequestObject) (apigen.ConfirmBreakGlassGrantResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "confirmBreakGlassGrant", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.ConfirmBreakGlassGrantResponseObject.VisitConfirmBreakGlassGrantResponse, func(db *postgres.DB) (apigen.ConfirmBreakGlassGrantResponseObject, error) {
			if err := (governance.Grants{DB: db}).Confirm(ctx, principal.AccountID, req.ID, actorOf(principal), time.Now()); err != nil {
				return nil, err
			}
			grant, tag, err := getGrant(ctx, db, principal.AccountID, req.ID)
			return apigen.ConfirmBreakGlassGrant200JSONResponse{Body: grant, Headers: apigen.ConfirmBreakGlassGrant200ResponseHeaders{ETag: tag}}, err
		})
}

func (h breakGlassHandlers) RevokeBreakGlassGrant(ctx context.Context, req apigen.RevokeBreakGlassGrantRequestObject) (apigen.RevokeBreakGlassGrantResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "revokeBreakGlassGrant", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.RevokeBreakGlassGrantResponseObject.VisitRevokeBreakGlassGrantResponse, func(db *postgres.DB) (apigen.RevokeBreakGlassGrantResponseObject, error) {
			if err := (governance.Grants{DB: db}).Revoke(ctx, principal.AccountID, req.ID, actorOf(principal), time.Now()); err != nil {
				return nil, err
			}
			grant, tag, err := getGrant(ctx, db, principal.AccountID, req.ID)
			return apigen.RevokeBreakGlassGrant200JSONResponse{Body: grant, Headers: apigen.RevokeBreakGlassGrant200ResponseHeaders{ETag: tag}}, err
		})
}

func (h breakGlassHandlers) ReviewBreakGlassGrant(ctx context.Context, req apigen.ReviewBreakGlassGrantRequestObject) (apigen.ReviewBreakGlassGrantResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "reviewBreakGlassGrant", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.ReviewBreakGlassGrantResponseObject.VisitReviewBreakGlassGrantResponse, func(db *postgres.DB) (apigen.ReviewBreakGlassGrantResponseObject, error) {
			comments := ptr.Or(fromNullable(req.Body.Comments), "")
			if err := (governance.Grants{DB: db}).Review(ctx, principal.AccountID, req.ID, comments, actorOf(principal), time.Now()); err != nil {
				return nil, err
			}
			grant, tag, err := getGrant(ctx, db, principal.AccountID, req.ID)
			return apigen.ReviewBreakGlassGrant200JSONResponse{Body: grant, Headers: apigen.ReviewBreakGlassGrant200ResponseHeaders{ETag: tag}}, err
		})
}

func toAPIGrant(row dbgen.BreakGlassGrant, product, environment string, now time.Time) apigen.BreakGlassGrant {
	return apigen.BreakGlassGrant{
		ID: row.ID, ProductID: row.ProductID, ProductName: product, EnvironmentID: row.EnvironmentID, EnvironmentName: environment, Version: row.Version,
		Reason: row.Reason, Minutes: int(row.Minutes), RuleTypes: convertAll[apigen.RuleType](row.RuleTypes), Status: apigen.BreakGlassStatus(governance.GrantStatus(row, now)),
		CreatedBy: toNullable(row.CreatedBy), CreatedByName: row.CreatedByName, CreatedAt: row.CreatedAt.UTC(), ConfirmUntil: toNullableTime(row.ConfirmUntil),
		ConfirmedBy: toNullable(row.ConfirmedBy), ConfirmedByName: toNullable(row.ConfirmedByName), ConfirmedAt: toNullableTime(row.ConfirmedAt),
		ActivatedAt: toNullableTime(row.ActivatedAt), ExpiresAt: toNullableTime(row.ExpiresAt), UsedAt: toNullableTime(row.UsedAt), UsedDeploymentID: toNullable(row.UsedDeploymentID),
		RevokedBy: toNullable(row.RevokedBy), RevokedByName: toNullable(row.RevokedByName), RevokedAt: toNullableTime(row.RevokedAt),
		ReviewedBy: toNullable(row.ReviewedBy), ReviewedByName: toNullable(row.ReviewedByName), ReviewedAt: toNullableTime(row.ReviewedAt),
		ReviewComments: toNullable(row.ReviewComments),
	}
}
