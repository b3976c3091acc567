package httpapi

import (
	"context"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/accounts"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
)

type userHandlers struct {
	db      *postgres.TenantPool
	cursors cursorCodec
	changes accounts.Announcer
}

func (h userHandlers) ListUsers(ctx context.Context, req apigen.ListUsersRequestObject) (apigen.ListUsersResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.User, apigen.User]{
		scope: listScope{account: account, operation: "listUsers", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.User, error) {
			rows, err := db.ListUsers(ctx, dbgen.ListUsersParams{
				AccountID: account, Q: req.Params.Q, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.User) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPIUser,
	})
	return apigen.ListUsers200JSONResponse{Items: items, NextCursor: next}, err
}

func (h userHandlers) GetCurrentUser(ctx context.Context, _ apigen.GetCurrentUserRequestObject) (apigen.GetCurrentUserResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	row, err := h.db.Tenant(principal.AccountID).GetUser(ctx, dbgen.GetUserParams{AccountID: principal.AccountID, ID: principal.UserID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	user := toAPIUser(row)
	return apigen.GetCurrentUser200JSONResponse{
		User: user, Account: apigen.AccountSummary{ID: principal.AccountID, Slug: principal.AccountSlug}, Permissions: authz.Permissions(string(user.Role)),
	}, nil
}

func (h userHandlers) GetUser(ctx context.Context, req apigen.GetUserRequestObject) (apigen.GetUserResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetUser(ctx, dbgen.GetUserParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetUser200JSONResponse{Body: toAPIUser(row), Headers: apigen.GetUser200ResponseHeaders{ETag: etag.Of(row.Revision)}}, nil
}

func (h userHandlers) UpdateUser(ctx context.Context, req apigen.UpdateUserRequestObject) (apigen.UpdateUserResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := accounts.AssignRole(ctx, h.db.Tenant(account), h.changes, ifMatchRef(ctx, req.ID, req.Params.IfMatch), fromNullable(req.Body.Role))
	if err != nil {
		return nil, err
	}
	return apigen.UpdateUser200JSONResponse{Body: toAPIUser(row), Headers: apigen.UpdateUser200ResponseHeaders{ETag: etag.Of(row.Revision)}}, nil
}

func toAPIUser(row dbgen.User) apigen.User {
	return apigen.User{
		ID: row.ID, Name: row.Name, Email: row.Email, Role: apigen.Role(accounts.Role(row)), Assigned: row.AssignedRole != nil,
		CreatedAt: row.CreatedAt.UTC(), LastSeenAt: row.LastSeenAt.UTC(),
	}
}
