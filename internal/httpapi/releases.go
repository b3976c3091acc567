package httpapi

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/catalogue"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
)

type releaseHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
	quotas      quota.Limits
	clock       func() time.Time
}

func (h releaseHandlers) ListReleases(ctx context.Context, req apigen.ListReleasesRequestObject) (apigen.ListReleasesResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.ListReleasesRow, apigen.Release]{
		scope: listScope{account: account, operation: "listReleases", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.ListReleasesRow, error) {
			rows, err := db.ListReleases(ctx, dbgen.ListReleasesParams{
				AccountID: account, Q: req.Params.Q, Status: (*string)(req.Params.Status), VersionID: req.Params.VersionID,
				AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at: func(row dbgen.ListReleasesRow) keyset {
			return keyset{at: row.Release.CreatedAt, id: row.Release.ID}
		},
		item: func(row dbgen.ListReleasesRow) apigen.Release { return toAPIRelease(row.Release, row.VersionCount) },
	})
	return apigen.ListReleases200JSONResponse{Items: items, NextCursor: next}, err
}

func (h releaseHandlers) GetRelease(ctx context.Context, req apigen.GetReleaseRequestObject) (apigen.GetReleaseResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetRelease(ctx, dbgen.GetReleaseParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetRelease200JSONResponse{
		Body: toAPIRelease(row.Release, row.VersionCount), Headers: apigen.GetRelease200ResponseHeaders{ETag: etag.Of(row.Release.Revision)},
	}, nil
}

func (h releaseHandlers) CreateRelease(ctx context.Context, req apigen.CreateReleaseRequestObject) (apigen.CreateReleaseResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	status := ptr.Or((*string)(req.Body.Status), string(apigen.ReleaseStatusDraft))
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "createRelease", key: req.Params.IdempotencyKey},
		apigen.CreateReleaseResponseObject.VisitCreateReleaseResponse, func(db *postgres.DB) (apigen.CreateReleaseResponseObject, error) {
			row, err := catalogue.Releases{DB: db, MaxOpen: h.quotas.OpenReleases}.Create(ctx, account, req.Body.Name, ptr.Or(req.Body.Description, ""), status, fromNullable(req.Body.ExtraMetadata))
			if err != nil {
				return nil, err
			}
			return apigen.CreateRelease201JSONResponse{
				Body: toAPIRelease(row, 0), Headers: apigen.CreateRelease201ResponseHeaders{ETag: etag.Of(row.Revision), Location: locationOf("/releases/", row.ID)},
			}, nil
		})
}

func (h releaseHandlers) UpdateRelease(ctx context.Context, req apigen.UpdateReleaseRequestObject) (apigen.UpdateReleaseResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	target := ifMatchRef(ctx, req.ID, req.Params.IfMatch)
	if _, err := (catalogue.Releases{DB: h.db.Tenant(account)}).Update(ctx, target, catalogue.ReleasePatch{
		Name: req.Body.Name, Description: patchText(req.Body.Description), Status: (*string)(req.Body.Status), ExtraMetadata: patchObject(req.Body.ExtraMetadata),
	}); err != nil {
		return nil, err
	}
	row, err := h.db.Tenant(account).GetRelease(ctx, dbgen.GetReleaseParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.UpdateRelease200JSONResponse{
		Body: toAPIRelease(row.Release, row.VersionCount), Headers: apigen.UpdateRelease200ResponseHeaders{ETag: etag.Of(row.Release.Revision)},
	}, nil
}

func (h releaseHandlers) DeleteRelease(ctx context.Context, req apigen.DeleteReleaseRequestObject) (apigen.DeleteReleaseResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return apigen.DeleteRelease204Response{}, catalogue.Releases{DB: h.db.Tenant(account)}.Delete(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch))
}

func (h releaseHandlers) ListReleaseVersions(ctx context.Context, req apigen.ListReleaseVersionsRequestObject) (apigen.ListReleaseVersionsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	if _, err := h.db.Tenant(account).GetRelease(ctx, dbgen.GetReleaseParams{AccountID: account, ID: req.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.VersionDetail, apigen.Version]{
		scope: listScope{account: account, operation: "listReleaseVersions", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.VersionDetail, error) {
			rows, err := db.ListReleaseVersions(ctx, dbgen.ListReleaseVersionsParams{
				AccountID: account, ReleaseID: req.ID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.VersionDetail) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPIVersion,
	})
	return apigen.ListReleaseVersions200JSONResponse{Items: items, NextCursor: next}, err
}

func (h releaseHandlers) AddReleaseVersion(ctx context.Context, req apigen.AddReleaseVersionRequestObject) (apigen.AddReleaseVersionResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "addReleaseVersion", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.AddReleaseVersionResponseObject.VisitAddReleaseVersionResponse, func(db *postgres.DB) (apigen.AddReleaseVersionResponseObject, error) {
			version, err := catalogue.Releases{DB: db}.AddVersion(ctx, ifMatchRef(ctx, req.ID, nil), req.Body.VersionID)
			if err != nil {
				return nil, err
			}
			return apigen.AddReleaseVersion200JSONResponse(toAPIVersion(version)), nil
		})
}

func (h releaseHandlers) RemoveReleaseVersion(ctx context.Context, req apigen.RemoveReleaseVersionRequestObject) (apigen.RemoveReleaseVersionResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return apigen.RemoveReleaseVersion204Response{}, catalogue.Releases{DB: h.db.Tenant(account)}.RemoveVersion(ctx, ifMatchRef(ctx, req.ID, nil), req.VersionID)
}

func (h releaseHandlers) GetReleaseProgress(ctx context.Context, req apigen.GetReleaseProgressRequestObject) (apigen.GetReleaseProgressResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	if _, err := h.db.Tenant(account).GetRelease(ctx, dbgen.GetReleaseParams{AccountID: account, ID: req.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	now := h.clock()
	cells, next, err := paginate(ctx, h.db, h.cursors, page[releaseCell, apigen.ReleaseEnvironmentStatus]{
		scope: listScope{account: account, operation: "getReleaseProgress", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]releaseCell, error) {
			return releaseCells(ctx, db, dbgen.ListReleaseProgressParams{
				AccountID: account, ReleaseID: req.ID, AfterProductID: after.firstID(), AfterEnvironmentID: after.lastID(), RowLimit: limit,
			}, now)
		},
		at:   func(row releaseCell) keyset { return keyset{first: row.ProductID, id: row.EnvironmentID} },
		item: toAPIReleaseEnvironmentStatus,
	})
	return apigen.GetReleaseProgress200JSONResponse{ReleaseID: req.ID, Environments: cells, NextCursor: next}, err
}

// releaseCell is a cell of the grid with the deployments that decide it; nil where there is none.
type releaseCell struct {
	dbgen.ListReleaseProgressRow

	current, finished, inProgress *dbgen.ListDeploymentsByIDRow
}

func releaseCells(ctx context.Context, db *postgres.DB, params dbgen.ListReleaseProgressParams, now time.Time) ([]releaseCell, error) {
	rows, err := db.ListReleaseProgress(ctx, params)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	var ids []uuid.UUID
	for _, row := range rows {
		ids = append(append(ids, row.OpenDeploymentIDs...), row.FinishedDeploymentID, ptr.OrZero(row.CurrentDeploymentID))
	}
	known, err := deploymentsByID(ctx, db, params.AccountID, ids)
	if err != nil {
		return nil, err
	}
	cells := make([]releaseCell, len(rows))
	for i, row := range rows {
		isOther := func(id uuid.UUID) bool { return known[id].VersionID != row.VersionID }
		cells[i] = releaseCell{
			ListReleaseProgressRow: row, current: deploymentOf(known, ptr.OrZero(row.CurrentDeploymentID)), finished: deploymentOf(known, row.FinishedDeploymentID),
			inProgress: inProgress(known, slices.DeleteFunc(slices.Clone(row.OpenDeploymentIDs), isOther), now),
		}
	}
	return cells, nil
}

// deploymentOf returns the deployment with an identifier; nil without one.
func deploymentOf(known map[uuid.UUID]dbgen.ListDeploymentsByIDRow, id uuid.UUID) *dbgen.ListDeploymentsByIDRow {
	row, ok := known[id]
	if !ok {
		return nil
	}
	return &row
}

// decide returns the status of the cell and the deployment behind it.
func (c releaseCell) decide() (apigen.RolloutStatus, *dbgen.ListDeploymentsByIDRow) {
	switch {
	case c.current != nil && c.current.VersionID == c.VersionID:
		return apigen.RolloutStatusSuccess, c.current
	case c.finished != nil && c.finished.Status == string(ingest.Completed):
		return apigen.RolloutStatusSuccess, c.finished
	case c.inProgress != nil:
		return apigen.RolloutStatusInProgress, c.inProgress
	case c.finished != nil:
		return apigen.RolloutStatusFailed, c.finished
	default:
		return apigen.RolloutStatusNotDeployed, nil
	}
}

func toAPIRelease(row dbgen.Release, versions int64) apigen.Release {
	return apigen.Release{
		ID: row.ID, Name: row.Name, Description: row.Description, Status: apigen.ReleaseStatus(row.Status), ExtraMetadata: row.ExtraMetadata,
		VersionCount: int(versions), CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
}

func toAPIReleaseEnvironmentStatus(row releaseCell) apigen.ReleaseEnvironmentStatus {
	status, deployment := row.decide()
	cell := apigen.ReleaseEnvironmentStatus{
		ProductID: row.ProductID, ProductName: row.ProductName, VersionID: row.VersionID, Version: row.Version,
		EnvironmentID: row.EnvironmentID, EnvironmentName: row.EnvironmentName, EnvironmentType: apigen.EnvironmentType(row.EnvironmentType),
		Status: status, DeploymentID: toNullable[uuid.UUID](nil), DeployedAt: toNullableTime(nil),
	}
	if deployment != nil {
		at := deployedAt(deployment.OccurredAt, deployment.StartedAt, deployment.CompletedAt)
		cell.DeploymentID, cell.DeployedAt = toNullable(&deployment.ID), toNullableTime(&at)
	}
	return cell
}
