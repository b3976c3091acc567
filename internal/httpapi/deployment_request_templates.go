package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/requests"
)

type deploymentRequestTemplateHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
}

func (h deploymentRequestTemplateHandlers) ListDeploymentRequestTemplates(
	ctx context.Context, req apigen.ListDeploymentRequestTemplatesRequestObject,
) (apigen.ListDeploymentRequestTemplatesResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := paginate(ctx, h.db, h.cursors, page[apigen.DeploymentRequestTemplate, apigen.DeploymentRequestTemplate]{
		scope: listScope{account: account, operation: "listDeploymentRequestTemplates", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]apigen.DeploymentRequestTemplate, error) {
			return listTemplates(ctx, db, dbgen.ListDeploymentRequestTemplatesParams{AccountID: account, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit})
		},
		at:   func(row apigen.DeploymentRequestTemplate) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: func(row apigen.DeploymentRequestTemplate) apigen.DeploymentRequestTemplate { return row },
	})
	return apigen.ListDeploymentRequestTemplates200JSONResponse{Items: items, NextCursor: next}, err
}

func listTemplates(ctx context.Context, db *postgres.DB, params dbgen.ListDeploymentRequestTemplatesParams) ([]apigen.DeploymentRequestTemplate, error) {
	rows, err := db.ListDeploymentRequestTemplates(ctx, params)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	templates, problems := make([]apigen.DeploymentRequestTemplate, len(rows)), make([]error, len(rows))
	for i, row := range rows {
		templates[i], problems[i] = toAPIDeploymentRequestTemplate(row)
	}
	return templates, errors.Join(problems...)
}

func (h deploymentRequestTemplateHandlers) GetDeploymentRequestTemplate(
	ctx context.Context, req apigen.GetDeploymentRequestTemplateRequestObject,
) (apigen.GetDeploymentRequestTemplateResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetDeploymentRequestTemplate(ctx, dbgen.GetDeploymentRequestTemplateParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	template, err := toAPIDeploymentRequestTemplate(row)
	return apigen.GetDeploymentRequestTemplate200JSONResponse{Body: template, Headers: apigen.GetDeploymentRequestTemplate200ResponseHeaders{ETag: etag.Of(row.Revision)}}, err
}

func (h deploymentRequestTemplateHandlers) CreateDeploymentRequestTemplate(
	ctx context.Context, req apigen.CreateDeploymentRequestTemplateRequestObject,
) (apigen.CreateDeploymentRequestTemplateResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "createDeploymentRequestTemplate", key: req.Params.IdempotencyKey},
		apigen.CreateDeploymentRequestTemplateResponseObject.VisitCreateDeploymentRequestTemplateResponse, func(db *postgres.DB) (apigen.CreateDeploymentRequestTemplateResponseObject, error) {
			row, err := requests.Templates{DB: db}.Create(ctx, account, requests.Template{
				Name: &req.Body.Name, Description: req.Body.Description, EnvironmentIDs: environmentsOf(req.Body.EnvironmentIds),
				Approvals: new(slotsOf(req.Body.Approvals)), Steps: new(stepsOf(req.Body.Steps)), Gate: req.Body.Gate,
			}, time.Now())
			if err != nil {
				return nil, err
			}
			template, err := toAPIDeploymentRequestTemplate(row)
			return apigen.CreateDeploymentRequestTemplate201JSONResponse{Body: template, Headers: apigen.CreateDeploymentRequestTemplate201ResponseHeaders{
				ETag: etag.Of(row.Revision), Location: locationOf("/deployment-request-templates/", row.ID),
			}}, err
		})
}

// environmentsOf returns the environments of a body, nil if it has none.
func environmentsOf(ids []uuid.UUID) *[]uuid.UUID {
	if ids == nil {
		return nil
	}
	return &ids
}

func (h deploymentRequestTemplateHandlers) UpdateDeploymentRequestTemplate(
	ctx context.Context, req apigen.UpdateDeploymentRequestTemplateRequestObject,
) (apigen.UpdateDeploymentRequestTemplateResponseObject, error) {
	patch := requests.Template{Name: req.Body.Name, Description: patchText(req.Body.Description), EnvironmentIDs: environmentsOf(req.Body.EnvironmentIds), Gate: req.Body.Gate}
	if req.Body.Approvals != nil {
		patch.Approvals = new(slotsOf(req.Body.Approvals))
	}
	if req.Body.Steps != nil {
		patch.Steps = new(stepsOf(req.Body.Steps))
	}
	target := ifMatchRef(ctx, req.ID, req.Params.IfMatch)
	row, err := requests.Templates{DB: h.db.Tenant(target.AccountID)}.Update(ctx, target, patch, time.Now())
	if err != nil {
		return nil, err
	}
	template, err := toAPIDeploymentRequestTemplate(row)
	return apigen.UpdateDeploymentRequestTemplate200JSONResponse{
		Body: template, Headers: apigen.UpdateDeploymentRequestTemplate200ResponseHeaders{ETag: etag.Of(row.Revision)},
	}, err
}

func (h deploymentRequestTemplateHandlers) DeleteDeploymentRequestTemplate(
	ctx context.Context, req apigen.DeleteDeploymentRequestTemplateRequestObject,
) (apigen.DeleteDeploymentRequestTemplateResponseObject, error) {
	target := ifMatchRef(ctx, req.ID, req.Params.IfMatch)
	return apigen.DeleteDeploymentRequestTemplate204Response{}, requests.Templates{DB: h.db.Tenant(target.AccountID)}.Delete(ctx, target)
}

func toAPIDeploymentRequestTemplate(row dbgen.DeploymentRequestTemplate) (apigen.DeploymentRequestTemplate, error) {
	template := apigen.DeploymentRequestTemplate{
		ID: row.ID, Name: row.Name, Description: row.Description, EnvironmentIds: row.EnvironmentIDs, Gate: row.Gate,
		Approvals: []apigen.DeploymentRequestTemplateSlot{}, Steps: []apigen.DeploymentRequestTemplateStep{}, CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
	slots, slotsErr := requests.TemplateSlots(row)
	for _, slot := range slots {
		template.Approvals = append(template.Approvals, apigen.DeploymentRequestTemplateSlot{
			ApprovalType: apigen.DeploymentRequestTemplateApprovalsApprovalType(slot.Type), Required: slot.Required,
		})
	}
	steps, stepsErr := requests.TemplateSteps(row)
	for _, step := range steps {
		template.Steps = append(template.Steps, apigen.DeploymentRequestTemplateStep{
			Phase: apigen.DeploymentRequestTemplateStepsPhase(step.Phase), Title: step.Title, Description: step.Description, Position: int(ptr.OrZero(step.Position)),
		})
	}
	return template, errors.Join(slotsErr, stepsErr)
}
