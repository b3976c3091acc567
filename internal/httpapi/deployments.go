package httpapi

import (
	"context"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/postgres"
)

type deployments struct {
	db    *postgres.DB
	pager pager
}

func (h deployments) ListDeployments(ctx context.Context, req apigen.ListDeploymentsRequestObject) (apigen.ListDeploymentsResponseObject, error) {
	find := finder{ctx: ctx, db: h.db}
	params := dbgen.ListDeploymentsParams{
		AccountID: authn.PrincipalFrom(ctx).AccountID,
		ProductID: find.product(req.Params.Product), EnvironmentID: find.environment(req.Params.Environment),
		Status: (*string)(req.Params.Status), Commit: commitOf(req.Params.SCMSHA), Since: req.Params.Since, Until: req.Params.Until,
	}
	if params.VersionID = asID(req.Params.Version); params.VersionID == nil {
		params.Version = req.Params.Version
	}
	items, next, err := page[dbgen.DeploymentRecord, apigen.Deployment]{
		rows: func(after *position, limit int32) ([]dbgen.DeploymentRecord, error) {
			if find.nothing || find.err != nil {
				return nil, find.err
			}
			params.AfterAt, params.AfterID, params.RowLimit = timeOf(after), idOf(after), limit
			rows, err := h.db.ListDeployments(ctx, params)
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.DeploymentRecord) position { return position{at: row.CreatedAt, id: row.ID} },
		item: toAPIDeployment,
	}.read(ctx, h.pager, req.Params.Limit, req.Params.Cursor)
	return apigen.ListDeployments200JSONResponse{Items: items, NextCursor: next}, err
}

func (h deployments) GetDeployment(ctx context.Context, req apigen.GetDeploymentRequestObject) (apigen.GetDeploymentResponseObject, error) {
	row, err := h.db.GetDeployment(ctx, dbgen.GetDeploymentParams{AccountID: authn.PrincipalFrom(ctx).AccountID, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetDeployment200JSONResponse(toAPIDeployment(row)), nil
}

func (h deployments) ListEnvironmentState(ctx context.Context, req apigen.ListEnvironmentStateRequestObject) (apigen.ListEnvironmentStateResponseObject, error) {
	find := finder{ctx: ctx, db: h.db}
	params := dbgen.ListEnvironmentStateParams{
		AccountID: authn.PrincipalFrom(ctx).AccountID,
		ProductID: find.product(req.Params.Product), EnvironmentID: find.environment(req.Params.Environment), Type: (*string)(req.Params.Type),
	}
	items, next, err := page[dbgen.ListEnvironmentStateRow, apigen.EnvironmentState]{
		rows: func(after *position, limit int32) ([]dbgen.ListEnvironmentStateRow, error) {
			if find.nothing || find.err != nil {
				return nil, find.err
			}
			params.AfterProductID, params.AfterEnvironmentID, params.RowLimit = firstOfPosition(after), idOf(after), limit
			rows, err := h.db.ListEnvironmentState(ctx, params)
			return rows, postgres.Classify(err)
		},
		at: func(row dbgen.ListEnvironmentStateRow) position {
			return position{first: row.ProductID, id: row.EnvironmentID}
		},
		item: toAPIEnvironmentState,
	}.read(ctx, h.pager, req.Params.Limit, req.Params.Cursor)
	return apigen.ListEnvironmentState200JSONResponse{Items: items, NextCursor: next}, err
}

func toAPIDeployment(row dbgen.DeploymentRecord) apigen.Deployment {
	return apigen.Deployment{
		ID:              row.ID,
		DeploymentID:    row.ID,
		ProductID:       row.ProductID,
		ProductName:     row.ProductName,
		VersionID:       row.VersionID,
		Version:         row.Version,
		EnvironmentID:   row.EnvironmentID,
		EnvironmentName: row.EnvironmentName,
		EnvironmentType: apigen.EnvironmentType(row.EnvironmentType),
		Status:          apigen.Status(row.Status),
		DeployedAt:      row.DeployedAt.UTC(),
		StartedAt:       toNullableTime(row.StartedAt),
		CompletedAt:     toNullableTime(row.CompletedAt),
		CreatedAt:       row.CreatedAt.UTC(),
		SourceSystem:    toNullable(row.SourceSystem),
		BuildNumber:     toNullable(row.BuildNumber),
		DeployedBy:      toNullable(row.DeployedBy),
		DeployedByName:  toNullable(row.DeployedByName),
		DeployedByEmail: toNullable(row.DeployedByEmail),
		DeployURL:       toNullable(row.DeployURL),
		SCMSHA:          toNullable(row.SCMSHA),
		SCMBranch:       toNullable(row.SCMBranch),
		SCMRepository:   toNullable(row.SCMRepository),
		InvokeID:        toNullable(row.InvokeID),
		SoakTimeHours:   toNullable(row.SoakTimeHours),
		ExtraMetadata:   row.ExtraMetadata,
	}
}

func toAPIEnvironmentState(row dbgen.ListEnvironmentStateRow) apigen.EnvironmentState {
	var behind *int
	if row.DeploymentID != nil {
		count := int(row.VersionsBehind)
		behind = &count
	}
	return apigen.EnvironmentState{
		ProductID: row.ProductID, ProductName: row.ProductName,
		EnvironmentID: row.EnvironmentID, EnvironmentName: row.EnvironmentName, EnvironmentType: apigen.EnvironmentType(row.EnvironmentType),
		DeploymentID: toNullable(row.DeploymentID), VersionID: toNullable(row.VersionID), Version: toNullable(row.Version),
		Since: toNullableTime(row.Since), DeployedBy: toNullable(row.DeployedBy), DeployedByName: toNullable(row.DeployedByName),
		InProgressDeploymentID: toNullable(row.InProgressID), InProgressVersion: toNullable(row.InProgressVersion),
		InProgressSince: toNullableTime(row.InProgressSince), Drifts: row.Drifts, VersionsBehind: toNullable(behind),
	}
}
