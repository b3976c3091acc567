package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// defaultGrace is for how many hours a rotated key remains valid by default.
const defaultGrace = 24

type apiKeyHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
	keys        *apikeys.Keys
}

func (h apiKeyHandlers) ListAPIKeys(ctx context.Context, req apigen.ListAPIKeysRequestObject) (apigen.ListAPIKeysResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.ListAPIKeysPageRow, apigen.APIKey]{
		scope: listScope{account: principal.AccountID, operation: "listAPIKeys", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.ListAPIKeysPageRow, error) {
			rows, err := db.ListAPIKeysPage(ctx, dbgen.ListAPIKeysPageParams{
				AccountID: principal.AccountID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at: func(row dbgen.ListAPIKeysPageRow) keyset {
			return keyset{at: row.APIKey.CreatedAt, id: row.APIKey.ID}
		},
		item: func(row dbgen.ListAPIKeysPageRow) apigen.APIKey {
			return toAPIKey(apikeys.InfoOf(principal.AccountSlug, row.APIKey), row.CreatedByName)
		},
	})
	return apigen.ListAPIKeys200JSONResponse{Items: items, NextCursor: next}, err
}

func (h apiKeyHandlers) GetAPIKey(ctx context.Context, req apigen.GetAPIKeyRequestObject) (apigen.GetAPIKeyResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	row, err := h.db.Tenant(principal.AccountID).GetAPIKey(ctx, dbgen.GetAPIKeyParams{AccountID: principal.AccountID, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetAPIKey200JSONResponse{
		Body:    toAPIKey(apikeys.InfoOf(principal.AccountSlug, row.APIKey), row.CreatedByName),
		Headers: apigen.GetAPIKey200ResponseHeaders{ETag: etag.Of(row.APIKey.Revision)},
	}, nil
}

func (h apiKeyHandlers) CreateAPIKey(ctx context.Context, req apigen.CreateAPIKeyRequestObject) (apigen.CreateAPIKeyResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "createAPIKey", key: req.Params.IdempotencyKey, onSecretReplay: auditKeyReplay(ctx)},
		apigen.CreateAPIKeyResponseObject.VisitCreateAPIKeyResponse, func(db *postgres.DB) (apigen.CreateAPIKeyResponseObject, error) {
			created, err := h.keys.Create(ctx, db, principal.AccountID, apikeys.NewKey{
				Name: req.Body.Name, Description: ptr.Or(req.Body.Description, ""), Scopes: convertAll[string](req.Body.Scopes), ExpiresAt: fromNullable(req.Body.ExpiresAt), CreatedBy: &principal.UserID,
			})
			if err != nil {
				return nil, err
			}
			return apigen.CreateAPIKey201JSONResponse{
				Body: toAPICreatedKey(created, principal.UserName), Headers: apigen.CreateAPIKey201ResponseHeaders{ETag: etag.Of(created.Revision), Location: locationOf("/api-keys/", created.ID)},
			}, nil
		})
}

func (h apiKeyHandlers) UpdateAPIKey(ctx context.Context, req apigen.UpdateAPIKeyRequestObject) (apigen.UpdateAPIKeyResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	target := ifMatchRef(ctx, req.ID, req.Params.IfMatch)
	if err := h.keys.Update(ctx, h.db.Tenant(principal.AccountID), target, apikeys.Patch{Name: req.Body.Name, Description: patchText(req.Body.Description)}); err != nil {
		return nil, err
	}
	row, err := h.db.Tenant(principal.AccountID).GetAPIKey(ctx, dbgen.GetAPIKeyParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.UpdateAPIKey200JSONResponse{
		Body:    toAPIKey(apikeys.InfoOf(principal.AccountSlug, row.APIKey), row.CreatedByName),
		Headers: apigen.UpdateAPIKey200ResponseHeaders{ETag: etag.Of(row.APIKey.Revision)},
	}, nil
}

func (h apiKeyHandlers) RevokeAPIKey(ctx context.Context, req apigen.RevokeAPIKeyRequestObject) (apigen.RevokeAPIKeyResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return apigen.RevokeAPIKey204Response{}, h.keys.Revoke(ctx, h.db.Tenant(account), ifMatchRef(ctx, req.ID, req.Params.IfMatch))
}

func (h apiKeyHandlers) RotateAPIKey(ctx context.Context, req apigen.RotateAPIKeyRequestObject) (apigen.RotateAPIKeyResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	grace := time.Duration(ptr.Or(req.Body.GracePeriodHours, defaultGrace)) * time.Hour
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "rotateAPIKey", key: req.Params.IdempotencyKey, target: req.ID, onSecretReplay: auditKeyReplay(ctx)},
		apigen.RotateAPIKeyResponseObject.VisitRotateAPIKeyResponse, func(db *postgres.DB) (apigen.RotateAPIKeyResponseObject, error) {
			created, err := h.keys.Rotate(ctx, db, principal.AccountID, req.ID, grace, &principal.UserID)
			if err != nil {
				return nil, err
			}
			return apigen.RotateAPIKey201JSONResponse{
				Body: toAPICreatedKey(created, principal.UserName), Headers: apigen.RotateAPIKey201ResponseHeaders{ETag: etag.Of(created.Revision), Location: locationOf("/api-keys/", created.ID)},
			}, nil
		})
}

// auditKeyReplay returns a function that records that a stored response showed a key again.
func auditKeyReplay(ctx context.Context) func(*postgres.DB, idempotency.Response) error {
	return func(tx *postgres.DB, stored idempotency.Response) error {
		var created apigen.CreatedAPIKey
		if err := json.Unmarshal(stored.Body, &created); err != nil {
			return fmt.Errorf("decode a stored key: %w", err)
		}
		return audit.Record(ctx, tx, audit.Change{
			AccountID: authn.PrincipalFrom(ctx).AccountID, Action: "api_key.replay", ObjectType: "api_key", ObjectID: created.ID, ObjectName: created.Name,
		})
	}
}

func toAPIKey(info apikeys.Info, createdBy *string) apigen.APIKey {
	return apigen.APIKey{
		ID: info.ID, KeyID: info.KeyID, Name: info.Name, Description: info.Description, Prefix: info.Prefix,
		Scopes: convertAll[apigen.APIKeyScope](info.Scopes),
		State:  apigen.APIKeyState(info.State(time.Now())), CreatedBy: toNullable(createdBy), CreatedAt: info.CreatedAt.UTC(),
		ExpiresAt: toNullableTime(info.ExpiresAt), RevokedAt: toNullableTime(info.RevokedAt), LastUsedAt: toNullableTime(info.LastUsedAt),
	}
}

func toAPICreatedKey(created apikeys.CreatedKey, createdBy string) apigen.CreatedAPIKey {
	return apigen.CreatedAPIKey{
		ID: created.ID, KeyID: created.KeyID, Name: created.Name, Description: created.Description, Prefix: created.Prefix, Key: created.Token,
		Scopes: convertAll[apigen.APIKeyScope](created.Scopes),
		State:  apigen.CreatedAPIKeyState(created.State(time.Now())), CreatedBy: toNullable(&createdBy), CreatedAt: created.CreatedAt.UTC(),
		ExpiresAt: toNullableTime(created.ExpiresAt), RevokedAt: toNullableTime(nil), LastUsedAt: toNullableTime(nil),
	}
}
