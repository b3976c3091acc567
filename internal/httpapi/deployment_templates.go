package httpapi

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/templates"
)

type deploymentTemplateHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
	quotas      quota.Limits
}

func (h deploymentTemplateHandlers) ListVariables(ctx context.Context, req apigen.ListVariablesRequestObject) (apigen.ListVariablesResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.VariableDetail, apigen.Variable]{
		scope: listScope{account: account, operation: "listVariables", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.VariableDetail, error) {
			rows, err := db.ListVariables(ctx, dbgen.ListVariablesParams{AccountID: account, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.VariableDetail) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPIVariable,
	})
	return apigen.ListVariables200JSONResponse{Items: items, NextCursor: next}, err
}

func (h deploymentTemplateHandlers) GetVariable(ctx context.Context, req apigen.GetVariableRequestObject) (apigen.GetVariableResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetVariable(ctx, dbgen.GetVariableParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetVariable200JSONResponse{Body: toAPIVariable(row), Headers: apigen.GetVariable200ResponseHeaders{ETag: etag.Of(row.Revision)}}, nil
}

func (h deploymentTemplateHandlers) CreateVariable(ctx context.Context, req apigen.CreateVariableRequestObject) (apigen.CreateVariableResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "createVariable", key: req.Params.IdempotencyKey},
		apigen.CreateVariableResponseObject.VisitCreateVariableResponse, func(db *postgres.DB) (apigen.CreateVariableResponseObject, error) {
			row, err := templates.Variables{DB: db, Max: h.quotas.Variables}.Create(ctx, account, templates.NewVariable{
				Key: req.Body.Key, Value: req.Body.Value, ProductID: fromNullable(req.Body.ProductID),
			}, time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.CreateVariable201JSONResponse{
				Body: toAPIVariable(row), Headers: apigen.CreateVariable201ResponseHeaders{ETag: etag.Of(row.Revision), Location: locationOf("/variables/", row.ID)},
			}, nil
		})
}

func (h deploymentTemplateHandlers) UpdateVariable(ctx context.Context, req apigen.UpdateVariableRequestObject) (apigen.UpdateVariableResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := templates.Variables{DB: h.db.Tenant(account)}.Update(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch), req.Body.Value, time.Now())
	if err != nil {
		return nil, err
	}
	return apigen.UpdateVariable200JSONResponse{Body: toAPIVariable(row), Headers: apigen.UpdateVariable200ResponseHeaders{ETag: etag.Of(row.Revision)}}, nil
}

func (h deploymentTemplateHandlers) DeleteVariable(ctx context.Context, req apigen.DeleteVariableRequestObject) (apigen.DeleteVariableResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return apigen.DeleteVariable204Response{}, templates.Variables{DB: h.db.Tenant(account)}.Delete(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch))
}

func (h deploymentTemplateHandlers) ListDeploymentTemplates(ctx context.Context, req apigen.ListDeploymentTemplatesRequestObject) (apigen.ListDeploymentTemplatesResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	names, err := resolveNames(ctx, h.db.Tenant(account), account, req.Params.Product, req.Params.Environment)
	if err != nil {
		return nil, err
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.DeploymentTemplateDetail, apigen.DeploymentTemplate]{
		scope: listScope{account: account, operation: "listDeploymentTemplates", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.DeploymentTemplateDetail, error) {
			if names.matchNothing {
				return nil, nil
			}
			rows, err := db.ListDeploymentTemplates(ctx, dbgen.ListDeploymentTemplatesParams{
				AccountID: account, ProductID: names.product, EnvironmentID: names.environment, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.DeploymentTemplateDetail) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPIDeploymentTemplate,
	})
	return apigen.ListDeploymentTemplates200JSONResponse{Items: items, NextCursor: next}, err
}

func (h deploymentTemplateHandlers) GetDeploymentTemplate(ctx context.Context, req apigen.GetDeploymentTemplateRequestObject) (apigen.GetDeploymentTemplateResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetDeploymentTemplate(ctx, dbgen.GetDeploymentTemplateParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetDeploymentTemplate200JSONResponse{
		Body: toAPIDeploymentTemplate(row), Headers: apigen.GetDeploymentTemplate200ResponseHeaders{ETag: etag.Of(row.Revision)},
	}, nil
}

func (h deploymentTemplateHandlers) CreateDeploymentTemplate(ctx context.Context, req apigen.CreateDeploymentTemplateRequestObject) (apigen.CreateDeploymentTemplateResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "createDeploymentTemplate", key: req.Params.IdempotencyKey},
		apigen.CreateDeploymentTemplateResponseObject.VisitCreateDeploymentTemplateResponse, func(db *postgres.DB) (apigen.CreateDeploymentTemplateResponseObject, error) {
			row, err := templates.Templates{DB: db, Max: h.quotas.DeploymentTemplates}.Create(ctx, account, templates.NewTemplate{
				ProductID: req.Body.ProductID, Name: req.Body.Name, URLTemplate: req.Body.URLTemplate, EnvironmentIDs: req.Body.EnvironmentIds,
				Enabled: ptr.Or(req.Body.Enabled, true),
			}, time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.CreateDeploymentTemplate201JSONResponse{
				Body: toAPIDeploymentTemplate(row), Headers: apigen.CreateDeploymentTemplate201ResponseHeaders{ETag: etag.Of(row.Revision), Location: locationOf("/deployment-templates/", row.ID)},
			}, nil
		})
}

func (h deploymentTemplateHandlers) UpdateDeploymentTemplate(ctx context.Context, req apigen.UpdateDeploymentTemplateRequestObject) (apigen.UpdateDeploymentTemplateResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := templates.Templates{DB: h.db.Tenant(account)}.Update(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch), templates.TemplatePatch{
		Name: req.Body.Name, URLTemplate: req.Body.URLTemplate, EnvironmentIDs: req.Body.EnvironmentIds, Enabled: req.Body.Enabled,
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return apigen.UpdateDeploymentTemplate200JSONResponse{
		Body: toAPIDeploymentTemplate(row), Headers: apigen.UpdateDeploymentTemplate200ResponseHeaders{ETag: etag.Of(row.Revision)},
	}, nil
}

func (h deploymentTemplateHandlers) DeleteDeploymentTemplate(ctx context.Context, req apigen.DeleteDeploymentTemplateRequestObject) (apigen.DeleteDeploymentTemplateResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return apigen.DeleteDeploymentTemplate204Response{}, templates.Templates{DB: h.db.Tenant(account)}.Delete(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch))
}

func (h deploymentTemplateHandlers) RenderDeploymentTemplate(ctx context.Context, req apigen.RenderDeploymentTemplateRequestObject) (apigen.RenderDeploymentTemplateResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	url, err := templates.Render(ctx, h.db.Tenant(account), account, req.ID, templates.Subject{VersionID: req.Body.VersionID, EnvironmentID: req.Body.EnvironmentID})
	if err != nil {
		return nil, err
	}
	return apigen.RenderDeploymentTemplate200JSONResponse{URL: url}, nil
}

func toAPIVariable(row dbgen.VariableDetail) apigen.Variable {
	return apigen.Variable{
		ID: row.ID, ProductID: toNullable(row.ProductID), ProductName: toNullable(row.ProductName), Key: row.Key, Value: row.Value,
		CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
}

func toAPIDeploymentTemplate(row dbgen.DeploymentTemplateDetail) apigen.DeploymentTemplate {
	return apigen.DeploymentTemplate{
		ID: row.ID, ProductID: row.ProductID, ProductName: row.ProductName, Name: row.Name, URLTemplate: row.URLTemplate,
		EnvironmentIds: row.EnvironmentIDs, EnvironmentNames: row.EnvironmentNames, Enabled: row.Enabled,
		CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
}
