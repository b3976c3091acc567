package httpapi

import (
	"context"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/accounts"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
)

type people struct {
	db    *postgres.TenantPool
	pager pager
}

func (h people) ListUsers(ctx context.Context, req apigen.ListUsersRequestObject) (apigen.ListUsersResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := page[dbgen.User, apigen.User]{
		rows: func(after *position, limit int32) ([]dbgen.User, error) {
			rows, err := h.db.Tenant(account).ListUsers(ctx, dbgen.ListUsersParams{
				AccountID: account, Q: req.Params.Q, AfterAt: timeOf(after), AfterID: idOf(after), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.User) position { return position{at: row.CreatedAt, id: row.ID} },
		item: toAPIUser,
	}.read(ctx, h.pager, req.Params.Limit, req.Params.Cursor)
	return apigen.ListUsers200JSONResponse{Items: items, NextCursor: next}, err
}

func (h people) GetUser(ctx context.Context, req apigen.GetUserRequestObject) (apigen.GetUserResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetUser(ctx, dbgen.GetUserParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetUser200JSONResponse{Body: toAPIUser(row), Headers: apigen.GetUser200ResponseHeaders{ETag: etag.Of(row.Revision)}}, nil
}

func (h people) UpdateUser(ctx context.Context, req apigen.UpdateUserRequestObject) (apigen.UpdateUserResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := accounts.AssignRole(ctx, h.db.Tenant(account), targetFrom(ctx, req.ID, req.Params.IfMatch), fromNullable(req.Body.Role))
	if err != nil {
		return nil, err
	}
	return apigen.UpdateUser200JSONResponse{Body: toAPIUser(row), Headers: apigen.UpdateUser200ResponseHeaders{ETag: etag.Of(row.Revision)}}, nil
}

func (h people) ListAuditLog(ctx context.Context, req apigen.ListAuditLogRequestObject) (apigen.ListAuditLogResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := page[dbgen.AuditLog, apigen.AuditEntry]{
		rows: func(after *position, limit int32) ([]dbgen.AuditLog, error) {
			rows, err := h.db.Tenant(account).ListAuditLog(ctx, dbgen.ListAuditLogParams{
				AccountID: account, ActorID: req.Params.ActorID, Action: req.Params.Action, ObjectID: req.Params.ObjectID,
				Since: req.Params.Since, Until: req.Params.Until, AfterAt: timeOf(after), AfterID: idOf(after), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.AuditLog) position { return position{at: row.OccurredAt, id: row.ID} },
		item: toAPIAuditEntry,
	}.read(ctx, h.pager, req.Params.Limit, req.Params.Cursor)
	return apigen.ListAuditLog200JSONResponse{Items: items, NextCursor: next}, err
}

func toAPIUser(row dbgen.User) apigen.User {
	return apigen.User{
		ID: row.ID, Name: row.Name, Email: row.Email, Role: apigen.Role(accounts.Role(row)), Assigned: row.AssignedRole != nil,
		CreatedAt: row.CreatedAt.UTC(), LastSeenAt: row.LastSeenAt.UTC(),
	}
}

func toAPIAuditEntry(row dbgen.AuditLog) apigen.AuditEntry {
	return apigen.AuditEntry{
		ID: row.ID, At: row.OccurredAt.UTC(), ActorType: apigen.AuditEntryActorType(row.ActorType), ActorID: toNullable(row.ActorID), ActorName: row.ActorName,
		Credential: row.Credential, Action: row.Action, ObjectType: row.ObjectType, ObjectID: row.ObjectID, Fields: row.Fields,
		RemoteIP: toNullable(row.RemoteIP), RequestID: toNullable(row.RequestID),
	}
}
