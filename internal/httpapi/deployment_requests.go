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
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/requests"
)

type deploymentRequestHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
	changes     governance.Announcer
	publicURL   string
	hasMailer   bool
}

func (h deploymentRequestHandlers) requests(db *postgres.DB) requests.Requests {
	return requests.Requests{DB: db, Changes: h.changes, PublicURL: h.publicURL, HasMailer: h.hasMailer}
}

func (h deploymentRequestHandlers) ListDeploymentRequests(ctx context.Context, req apigen.ListDeploymentRequestsRequestObject) (apigen.ListDeploymentRequestsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := paginate(ctx, h.db, h.cursors, page[shownRequest, apigen.DeploymentRequest]{
		scope: listScope{account: account, operation: "listDeploymentRequests", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]shownRequest, error) {
			rows, err := db.ListDeploymentRequests(ctx, dbgen.ListDeploymentRequestsParams{
				AccountID: account, Q: req.Params.Q, Status: (*string)(req.Params.Status), VersionID: req.Params.VersionID, EnvironmentID: req.Params.EnvironmentID,
				AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			if err != nil {
				return nil, postgres.Classify(err)
			}
			return showRequests(ctx, db, account, rows)
		},
		at: func(row shownRequest) keyset {
			return keyset{at: row.DeploymentRequest.CreatedAt, id: row.DeploymentRequest.ID}
		},
		item: toAPIDeploymentRequest,
	})
	return apigen.ListDeploymentRequests200JSONResponse{Items: items, NextCursor: next}, err
}

// shownRequest is a request with what is shown of its environments and slots.
type shownRequest struct {
	dbgen.ListDeploymentRequestsRow

	environments []apigen.DeploymentRequestEnvironment
	open         []apigen.DeploymentRequestOpenApprovals
	optional     []apigen.DeploymentRequestOpenOptionalApprovals // open ones
}

// showRequests reads the environments and slots of requests.
func showRequests(ctx context.Context, db *postgres.DB, account uuid.UUID, rows []dbgen.ListDeploymentRequestsRow) ([]shownRequest, error) {
	shown, byID, ids := make([]shownRequest, len(rows)), make(map[uuid.UUID]*shownRequest, len(rows)), make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.DeploymentRequest.ID
		shown[i] = shownRequest{row, []apigen.DeploymentRequestEnvironment{}, []apigen.DeploymentRequestOpenApprovals{}, []apigen.DeploymentRequestOpenOptionalApprovals{}}
		byID[ids[i]] = &shown[i]
	}
	environments, err := db.ListRequestEnvironments(ctx, dbgen.ListRequestEnvironmentsParams{AccountID: account, Requests: ids})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	for _, row := range environments {
		request := byID[row.RequestID]
		request.environments = append(request.environments, apigen.DeploymentRequestEnvironment{ID: row.ID, Name: row.Name})
	}
	slots, err := db.ListRequestSlots(ctx, dbgen.ListRequestSlotsParams{AccountID: account, Requests: ids})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	for _, slot := range slots {
		request := byID[slot.RequestID]
		switch {
		case slot.Required && slot.Status != string(policy.Approved):
			request.open = append(request.open, apigen.DeploymentRequestOpenApprovals(slot.ApprovalType))
		case !slot.Required && slot.Status == requests.SlotPending:
			request.optional = append(request.optional, apigen.DeploymentRequestOpenOptionalApprovals(slot.ApprovalType))
		}
	}
	return shown, nil
}

func (h deploymentRequestHandlers) GetDeploymentRequest(ctx context.Context, req apigen.GetDeploymentRequestRequestObject) (apigen.GetDeploymentRequestResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	request, tag, err := getRequest(ctx, h.db.Tenant(account), account, req.ID)
	return apigen.GetDeploymentRequest200JSONResponse{Body: request, Headers: apigen.GetDeploymentRequest200ResponseHeaders{ETag: tag}}, err
}

// getRequest returns a request and its entity tag.
func getRequest(ctx context.Context, db *postgres.DB, account, id uuid.UUID) (apigen.DeploymentRequest, string, error) {
	row, err := db.GetDeploymentRequest(ctx, dbgen.GetDeploymentRequestParams{AccountID: account, ID: id})
	if err != nil {
		return apigen.DeploymentRequest{}, "", postgres.Classify(err)
	}
	shown, err := showRequests(ctx, db, account, []dbgen.ListDeploymentRequestsRow{dbgen.ListDeploymentRequestsRow(row)})
	if err != nil {
		return apigen.DeploymentRequest{}, "", err
	}
	return toAPIDeploymentRequest(shown[0]), etag.Of(row.DeploymentRequest.Revision), nil
}

func (h deploymentRequestHandlers) CreateDeploymentRequest(ctx context.Context, req apigen.CreateDeploymentRequestRequestObject) (apigen.CreateDeploymentRequestResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "createDeploymentRequest", key: req.Params.IdempotencyKey},
		apigen.CreateDeploymentRequestResponseObject.VisitCreateDeploymentRequestResponse, func(db *postgres.DB) (apigen.CreateDeploymentRequestResponseObject, error) {
			request, err := newRequest(ctx, db, principal.AccountID, req.Body)
			if err != nil {
				return nil, err
			}
			id, err := h.requests(db).Create(ctx, principal.AccountID, request, actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			created, tag, err := getRequest(ctx, db, principal.AccountID, id)
			return apigen.CreateDeploymentRequest201JSONResponse{
				Body: created, Headers: apigen.CreateDeploymentRequest201ResponseHeaders{ETag: tag, Location: locationOf("/deployment-requests/", id)},
			}, err
		})
}

// newRequest returns a request with what the body has, and otherwise what the template has.
func newRequest(ctx context.Context, db *postgres.DB, account uuid.UUID, body *apigen.DeploymentRequestCreate) (request requests.New, err error) {
	request.Gate = true
	if template := fromNullable(body.TemplateID); template != nil {
		if request, err = (requests.Templates{DB: db}).Copy(ctx, account, *template); err != nil {
			return request, err
		}
	}
	request.Name = body.Name
	request.Description, request.Gate = ptr.Or(body.Description, request.Description), ptr.Or(body.Gate, request.Gate)
	if body.EnvironmentIds != nil {
		request.EnvironmentIDs = body.EnvironmentIds
	}
	if body.Approvals != nil {
		request.Approvals = slotsOf(body.Approvals)
	}
	if body.Steps != nil {
		request.Steps = stepsOf(body.Steps)
	}
	return request, nil
}

func slotsOf(inputs []apigen.DeploymentRequestSlotInput) []requests.Slot {
	slots := make([]requests.Slot, len(inputs))
	for i, input := range inputs {
		slots[i] = requests.Slot{Type: policy.ApprovalType(input.ApprovalType), Required: ptr.Or(input.Required, true)}
	}
	return slots
}

func stepsOf(inputs []apigen.DeploymentRequestStepInput) []requests.Step {
	steps := make([]requests.Step, len(inputs))
	for i, input := range inputs {
		steps[i] = requests.Step{Phase: string(input.Phase), Title: input.Title, Description: ptr.OrZero(input.Description), Position: stepPosition(input.Position)}
	}
	return steps
}

func stepPosition(position *int) *int64 {
	if position == nil {
		return nil
	}
	return new(int64(*position))
}

func (h deploymentRequestHandlers) UpdateDeploymentRequest(ctx context.Context, req apigen.UpdateDeploymentRequestRequestObject) (apigen.UpdateDeploymentRequestResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	db := h.db.Tenant(principal.AccountID)
	if err := h.requests(db).Update(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch), requests.Patch{
		Name: req.Body.Name, Description: patchText(req.Body.Description), Gate: req.Body.Gate, EnvironmentIDs: req.Body.EnvironmentIds,
	}, actorOf(principal), time.Now()); err != nil {
		return nil, err
	}
	request, tag, err := getRequest(ctx, db, principal.AccountID, req.ID)
	return apigen.UpdateDeploymentRequest200JSONResponse{Body: request, Headers: apigen.UpdateDeploymentRequest200ResponseHeaders{ETag: tag}}, err
}

func (h deploymentRequestHandlers) DeleteDeploymentRequest(ctx context.Context, req apigen.DeleteDeploymentRequestRequestObject) (apigen.DeleteDeploymentRequestResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	err := h.requests(h.db.Tenant(principal.AccountID)).Delete(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch), actorOf(principal), time.Now())
	return apigen.DeleteDeploymentRequest204Response{}, err
}

func (h deploymentRequestHandlers) ActivateDeploymentRequest(ctx context.Context, req apigen.ActivateDeploymentRequestRequestObject) (apigen.ActivateDeploymentRequestResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "activateDeploymentRequest", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.ActivateDeploymentRequestResponseObject.VisitActivateDeploymentRequestResponse, func(db *postgres.DB) (apigen.ActivateDeploymentRequestResponseObject, error) {
			request, tag, err := h.transition(ctx, db, ifMatchRef(ctx, req.ID, req.Params.IfMatch), requests.Activate)
			return apigen.ActivateDeploymentRequest200JSONResponse{Body: request, Headers: apigen.ActivateDeploymentRequest200ResponseHeaders{ETag: tag}}, err
		})
}

func (h deploymentRequestHandlers) DeactivateDeploymentRequest(ctx context.Context, req apigen.DeactivateDeploymentRequestRequestObject) (apigen.DeactivateDeploymentRequestResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "deactivateDeploymentRequest", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.DeactivateDeploymentRequestResponseObject.VisitDeactivateDeploymentRequestResponse, func(db *postgres.DB) (apigen.DeactivateDeploymentRequestResponseObject, error) {
			request, tag, err := h.transition(ctx, db, ifMatchRef(ctx, req.ID, req.Params.IfMatch), requests.Deactivate)
			return apigen.DeactivateDeploymentRequest200JSONResponse{Body: request, Headers: apigen.DeactivateDeploymentRequest200ResponseHeaders{ETag: tag}}, err
		})
}

func (h deploymentRequestHandlers) CancelDeploymentRequest(ctx context.Context, req apigen.CancelDeploymentRequestRequestObject) (apigen.CancelDeploymentRequestResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "cancelDeploymentRequest", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.CancelDeploymentRequestResponseObject.VisitCancelDeploymentRequestResponse, func(db *postgres.DB) (apigen.CancelDeploymentRequestResponseObject, error) {
			request, tag, err := h.transition(ctx, db, ifMatchRef(ctx, req.ID, req.Params.IfMatch), requests.Cancel)
			return apigen.CancelDeploymentRequest200JSONResponse{Body: request, Headers: apigen.CancelDeploymentRequest200ResponseHeaders{ETag: tag}}, err
		})
}

func (h deploymentRequestHandlers) CompleteDeploymentRequest(ctx context.Context, req apigen.CompleteDeploymentRequestRequestObject) (apigen.CompleteDeploymentRequestResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "completeDeploymentRequest", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.CompleteDeploymentRequestResponseObject.VisitCompleteDeploymentRequestResponse, func(db *postgres.DB) (apigen.CompleteDeploymentRequestResponseObject, error) {
			request, tag, err := h.transition(ctx, db, ifMatchRef(ctx, req.ID, req.Params.IfMatch), requests.Complete)
			return apigen.CompleteDeploymentRequest200JSONResponse{Body: request, Headers: apigen.CompleteDeploymentRequest200ResponseHeaders{ETag: tag}}, err
		})
}

// transition changes the status of a request and returns it with its entity tag.
func (h deploymentRequestHandlers) transition(ctx context.Context, db *postgres.DB, target etag.Ref, verb requests.Verb) (apigen.DeploymentRequest, string, error) {
	if err := h.requests(db).Transition(ctx, target, verb, actorOf(authn.PrincipalFrom(ctx)), time.Now()); err != nil {
		return apigen.DeploymentRequest{}, "", err
	}
	return getRequest(ctx, db, target.AccountID, target.ID)
}

func toAPIDeploymentRequest(shown shownRequest) apigen.DeploymentRequest {
	row := shown.DeploymentRequest
	return apigen.DeploymentRequest{
		ID: row.ID, Name: row.Name, Description: row.Description, Status: apigen.DeploymentRequestStatus(row.Status), Gate: row.Gate, Activation: int(row.Activation),
		Environments: shown.environments, VersionCount: int(shown.VersionCount), OpenApprovals: shown.open, OpenOptionalApprovals: shown.optional, OpenPreSteps: int(shown.OpenPreSteps),
		OpenPostSteps: int(shown.OpenPostSteps), CreatedBy: row.CreatedBy, CreatedByName: row.CreatedByName, CreatedAt: row.CreatedAt.UTC(),
		ActivatedBy: toNullable(row.ActivatedBy), ActivatedByName: toNullable(row.ActivatedByName), ActivatedAt: toNullableTime(row.ActivatedAt),
		CompletedAt: toNullableTime(row.CompletedAt), CancelledAt: toNullableTime(row.CancelledAt), UpdatedAt: row.UpdatedAt.UTC(),
	}
}
