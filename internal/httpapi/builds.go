package httpapi

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/postgres"
)

type buildHandlers struct {
	db      *postgres.TenantPool
	cursors cursorCodec
	clock   func() time.Time
}

func (h buildHandlers) ListBuilds(ctx context.Context, req apigen.ListBuildsRequestObject) (apigen.ListBuildsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	names, err := resolveNames(ctx, h.db.Tenant(account), account, req.Params.Product, nil)
	if err != nil {
		return nil, err
	}
	versionID, version := idOrName(req.Params.Version)
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.BuildDetail, apigen.Build]{
		scope: listScope{account: account, operation: "listBuilds", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.BuildDetail, error) {
			if names.matchNothing {
				return nil, nil
			}
			rows, err := db.ListBuilds(ctx, dbgen.ListBuildsParams{
				AccountID: account, ProductID: names.product, VersionID: versionID, Version: version, Status: (*string)(req.Params.Status),
				Commit: normalizeSHA(req.Params.SCMSHA), Since: req.Params.Since, Until: req.Params.Until,
				AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.BuildDetail) keyset { return keyset{at: row.OccurredAt, id: row.ID} },
		item: func(row dbgen.BuildDetail) apigen.Build { return toAPIBuild(row, h.clock()) },
	})
	return apigen.ListBuilds200JSONResponse{Items: items, NextCursor: next}, err
}

func (h buildHandlers) GetBuild(ctx context.Context, req apigen.GetBuildRequestObject) (apigen.GetBuildResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetBuild(ctx, dbgen.GetBuildParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetBuild200JSONResponse(toAPIBuild(row, h.clock())), nil
}

func (h buildHandlers) ListBuildEvents(ctx context.Context, req apigen.ListBuildEventsRequestObject) (apigen.ListBuildEventsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	if _, err := h.db.Tenant(account).GetBuild(ctx, dbgen.GetBuildParams{AccountID: account, ID: req.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.ListBuildEventsRow, apigen.RecordedEvent]{
		scope: listScope{account: account, operation: "listBuildEvents", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.ListBuildEventsRow, error) {
			rows, err := db.ListBuildEvents(ctx, dbgen.ListBuildEventsParams{
				AccountID: account, BuildID: &req.ID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at: func(row dbgen.ListBuildEventsRow) keyset { return keyset{at: row.ReceivedAt, id: row.ID} },
		item: func(row dbgen.ListBuildEventsRow) apigen.RecordedEvent {
			return toAPIEvent(dbgen.ListDeploymentEventsRow(row))
		},
	})
	return apigen.ListBuildEvents200JSONResponse{Items: items, NextCursor: next}, err
}

func toAPIBuild(row dbgen.BuildDetail, now time.Time) apigen.Build {
	return apigen.Build{
		ID:            row.ID,
		BuildID:       row.ID,
		ProductID:     row.ProductID,
		ProductName:   row.ProductName,
		VersionID:     row.VersionID,
		Version:       row.Version,
		BuildNumber:   toNullable(row.BuildNumber),
		Status:        apigen.Status(row.Status),
		IsStale:       isStale(row.Status, row.LastEventAt, row.Superseded, row.Overtaken, now),
		BuildURL:      toNullable(row.BuildURL),
		OccurredAt:    row.OccurredAt.UTC(),
		StartedAt:     toNullableTime(row.StartedAt),
		CompletedAt:   toNullableTime(row.CompletedAt),
		CreatedAt:     row.CreatedAt.UTC(),
		SourceSystem:  toNullable(row.SourceSystem),
		SCMSHA:        toNullable(row.SCMSHA),
		SCMBranch:     toNullable(row.SCMBranch),
		SCMRepository: toNullable(row.SCMRepository),
		InvokeID:      toNullable(row.InvokeID),
		BuiltBy:       toNullable(row.BuiltBy),
		BuiltByName:   toNullable(row.BuiltByName),
		BuiltByEmail:  toNullable(row.BuiltByEmail),
		ErrorMessage:  toNullable(row.ErrorMessage),
		ErrorCode:     toNullable(row.ErrorCode),
		ExtraMetadata: row.ExtraMetadata,
	}
}
