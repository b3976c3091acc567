package httpapi

import (
	"context"
	"encoding/json"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/postgres"
)

type auditLogHandlers struct {
	db      *postgres.TenantPool
	cursors cursorCodec
}

func (h auditLogHandlers) ListAuditLog(ctx context.Context, req apigen.ListAuditLogRequestObject) (apigen.ListAuditLogResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.AuditLog, apigen.AuditEntry]{
		scope: listScope{account: account, operation: "listAuditLog", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.AuditLog, error) {
			rows, err := db.ListAuditLog(ctx, dbgen.ListAuditLogParams{
				AccountID: account, ActorID: req.Params.ActorID, Action: req.Params.Action, ObjectID: req.Params.ObjectID,
				Since: req.Params.Since, Until: req.Params.Until, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.AuditLog) keyset { return keyset{at: row.OccurredAt, id: row.ID} },
		item: toAPIAuditEntry,
	})
	return apigen.ListAuditLog200JSONResponse{Items: items, NextCursor: next}, err
}

func toAPIAuditEntry(row dbgen.AuditLog) apigen.AuditEntry {
	changes := []apigen.AuditedChange{}
	_ = json.Unmarshal(row.ChangedValues, &changes) // encoded by audit.Record
	return apigen.AuditEntry{
		ID: row.ID, At: row.OccurredAt.UTC(), ActorType: apigen.AuditEntryActorType(row.ActorType), ActorID: toNullable(row.ActorID), ActorName: row.ActorName,
		Credential: row.Credential, Action: row.Action, ObjectType: row.ObjectType, ObjectID: row.ObjectID, ObjectName: toNullable(row.ObjectName), Fields: row.Fields, Changes: changes,
		RemoteIP: toNullable(row.RemoteIP), RequestID: toNullable(row.RequestID),
	}
}
