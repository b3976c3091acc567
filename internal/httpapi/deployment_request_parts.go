package httpapi

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/requests"
)

func (h deploymentRequestHandlers) ListDeploymentRequestVersions(ctx context.Context, req apigen.ListDeploymentRequestVersionsRequestObject) (apigen.ListDeploymentRequestVersionsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	if _, err := h.db.Tenant(account).GetDeploymentRequest(ctx, dbgen.GetDeploymentRequestParams{AccountID: account, ID: req.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.VersionDetail, apigen.Version]{
		scope: listScope{account: account, operation: "listDeploymentRequestVersions", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.VersionDetail, error) {
			rows, err := db.ListRequestVersions(ctx, dbgen.ListRequestVersionsParams{AccountID: account, RequestID: req.ID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.VersionDetail) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPIVersion,
	})
	return apigen.ListDeploymentRequestVersions200JSONResponse{Items: items, NextCursor: next}, err
}

func (h deploymentRequestHandlers) AddDeploymentRequestVersion(ctx context.Context, req apigen.AddDeploymentRequestVersionRequestObject) (apigen.AddDeploymentRequestVersionResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "addDeploymentRequestVersion", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.AddDeploymentRequestVersionResponseObject.VisitAddDeploymentRequestVersionResponse, func(db *postgres.DB) (apigen.AddDeploymentRequestVersionResponseObject, error) {
			row, err := h.requests(db).AddVersion(ctx, ifMatchRef(ctx, req.ID, nil), req.Body.VersionID, actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.AddDeploymentRequestVersion200JSONResponse(toAPIVersion(row)), nil
		})
}

func (h deploymentRequestHandlers) RemoveDeploymentRequestVersion(ctx context.Context, req apigen.RemoveDeploymentRequestVersionRequestObject) (apigen.RemoveDeploymentRequestVersionResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	err := h.requests(h.db.Tenant(principal.AccountID)).RemoveVersion(ctx, ifMatchRef(ctx, req.ID, nil), req.VersionID, actorOf(principal), time.Now())
	return apigen.RemoveDeploymentRequestVersion204Response{}, err
}

func (h deploymentRequestHandlers) ListDeploymentRequestApprovals(ctx context.Context, req apigen.ListDeploymentRequestApprovalsRequestObject) (apigen.ListDeploymentRequestApprovalsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	if _, err := h.db.Tenant(account).GetDeploymentRequest(ctx, dbgen.GetDeploymentRequestParams{AccountID: account, ID: req.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.DeploymentRequestApproval, apigen.DeploymentRequestApproval]{
		scope: listScope{account: account, operation: "listDeploymentRequestApprovals", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.DeploymentRequestApproval, error) {
			rows, err := db.ListRequestSlotsPage(ctx, dbgen.ListRequestSlotsPageParams{AccountID: account, RequestID: req.ID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.DeploymentRequestApproval) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPISlot,
	})
	return apigen.ListDeploymentRequestApprovals200JSONResponse{Items: items, NextCursor: next}, err
}

func (h deploymentRequestHandlers) AddDeploymentRequestApproval(ctx context.Context, req apigen.AddDeploymentRequestApprovalRequestObject) (apigen.AddDeploymentRequestApprovalResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "addDeploymentRequestApproval", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.AddDeploymentRequestApprovalResponseObject.VisitAddDeploymentRequestApprovalResponse, func(db *postgres.DB) (apigen.AddDeploymentRequestApprovalResponseObject, error) {
			row, err := h.requests(db).AddSlot(ctx, ifMatchRef(ctx, req.ID, nil), requests.Slot{Type: policy.ApprovalType(req.Body.ApprovalType), Required: ptr.Or(req.Body.Required, true)}, actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.AddDeploymentRequestApproval200JSONResponse(toAPISlot(row)), nil
		})
}

func (h deploymentRequestHandlers) RemoveDeploymentRequestApproval(ctx context.Context, req apigen.RemoveDeploymentRequestApprovalRequestObject) (apigen.RemoveDeploymentRequestApprovalResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	err := h.requests(h.db.Tenant(principal.AccountID)).RemoveSlot(ctx, ifMatchRef(ctx, req.ID, nil), req.SlotID, actorOf(principal), time.Now())
	return apigen.RemoveDeploymentRequestApproval204Response{}, err
}

func (h deploymentRequestHandlers) ApproveDeploymentRequest(ctx context.Context, req apigen.ApproveDeploymentRequestRequestObject) (apigen.ApproveDeploymentRequestResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "approveDeploymentRequest", key: req.Params.IdempotencyKey, target: req.SlotID},
		apigen.ApproveDeploymentRequestResponseObject.VisitApproveDeploymentRequestResponse, func(db *postgres.DB) (apigen.ApproveDeploymentRequestResponseObject, error) {
			row, err := h.requests(db).Decide(ctx, ifMatchRef(ctx, req.ID, nil), req.SlotID, decisionOf(requests.Approve, req.Body), actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.ApproveDeploymentRequest200JSONResponse(toAPISlot(row)), nil
		})
}

func (h deploymentRequestHandlers) RejectDeploymentRequest(ctx context.Context, req apigen.RejectDeploymentRequestRequestObject) (apigen.RejectDeploymentRequestResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "rejectDeploymentRequest", key: req.Params.IdempotencyKey, target: req.SlotID},
		apigen.RejectDeploymentRequestResponseObject.VisitRejectDeploymentRequestResponse, func(db *postgres.DB) (apigen.RejectDeploymentRequestResponseObject, error) {
			row, err := h.requests(db).Decide(ctx, ifMatchRef(ctx, req.ID, nil), req.SlotID, decisionOf(requests.Reject, req.Body), actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.RejectDeploymentRequest200JSONResponse(toAPISlot(row)), nil
		})
}

func (h deploymentRequestHandlers) ResetDeploymentRequestApproval(ctx context.Context, req apigen.ResetDeploymentRequestApprovalRequestObject) (apigen.ResetDeploymentRequestApprovalResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "resetDeploymentRequestApproval", key: req.Params.IdempotencyKey, target: req.SlotID},
		apigen.ResetDeploymentRequestApprovalResponseObject.VisitResetDeploymentRequestApprovalResponse, func(db *postgres.DB) (apigen.ResetDeploymentRequestApprovalResponseObject, error) {
			row, err := h.requests(db).Decide(ctx, ifMatchRef(ctx, req.ID, nil), req.SlotID, decisionOf(requests.Reset, req.Body), actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.ResetDeploymentRequestApproval200JSONResponse(toAPISlot(row)), nil
		})
}

func decisionOf(verb requests.Verb, body *apigen.DeploymentRequestDecision) requests.Decision {
	return requests.Decision{Verb: verb, Comments: ptr.Or(fromNullable(body.Comments), ""), Activation: int64(body.Activation)}
}

func (h deploymentRequestHandlers) ListDeploymentRequestSteps(ctx context.Context, req apigen.ListDeploymentRequestStepsRequestObject) (apigen.ListDeploymentRequestStepsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	if _, err := h.db.Tenant(account).GetDeploymentRequest(ctx, dbgen.GetDeploymentRequestParams{AccountID: account, ID: req.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.DeploymentRequestStep, apigen.DeploymentRequestStep]{
		scope: listScope{account: account, operation: "listDeploymentRequestSteps", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.DeploymentRequestStep, error) {
			rows, err := db.ListRequestStepsPage(ctx, dbgen.ListRequestStepsPageParams{AccountID: account, RequestID: req.ID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.DeploymentRequestStep) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPIStep,
	})
	return apigen.ListDeploymentRequestSteps200JSONResponse{Items: items, NextCursor: next}, err
}

func (h deploymentRequestHandlers) AddDeploymentRequestStep(ctx context.Context, req apigen.AddDeploymentRequestStepRequestObject) (apigen.AddDeploymentRequestStepResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "addDeploymentRequestStep", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.AddDeploymentRequestStepResponseObject.VisitAddDeploymentRequestStepResponse, func(db *postgres.DB) (apigen.AddDeploymentRequestStepResponseObject, error) {
			row, err := h.requests(db).AddStep(ctx, ifMatchRef(ctx, req.ID, nil), requests.Step{
				Phase: string(req.Body.Phase), Title: req.Body.Title, Description: ptr.OrZero(req.Body.Description), Position: stepPosition(req.Body.Position),
			}, actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.AddDeploymentRequestStep200JSONResponse(toAPIStep(row)), nil
		})
}

func (h deploymentRequestHandlers) RemoveDeploymentRequestStep(ctx context.Context, req apigen.RemoveDeploymentRequestStepRequestObject) (apigen.RemoveDeploymentRequestStepResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	err := h.requests(h.db.Tenant(principal.AccountID)).RemoveStep(ctx, ifMatchRef(ctx, req.ID, nil), req.StepID, actorOf(principal), time.Now())
	return apigen.RemoveDeploymentRequestStep204Response{}, err
}

func (h deploymentRequestHandlers) CompleteDeploymentRequestStep(ctx context.Context, req apigen.CompleteDeploymentRequestStepRequestObject) (apigen.CompleteDeploymentRequestStepResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "completeDeploymentRequestStep", key: req.Params.IdempotencyKey, target: req.StepID},
		apigen.CompleteDeploymentRequestStepResponseObject.VisitCompleteDeploymentRequestStepResponse, func(db *postgres.DB) (apigen.CompleteDeploymentRequestStepResponseObject, error) {
			row, err := h.requests(db).FinishStep(ctx, ifMatchRef(ctx, req.ID, nil), req.StepID, true, actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.CompleteDeploymentRequestStep200JSONResponse(toAPIStep(row)), nil
		})
}

func (h deploymentRequestHandlers) ReopenDeploymentRequestStep(ctx context.Context, req apigen.ReopenDeploymentRequestStepRequestObject) (apigen.ReopenDeploymentRequestStepResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "reopenDeploymentRequestStep", key: req.Params.IdempotencyKey, target: req.StepID},
		apigen.ReopenDeploymentRequestStepResponseObject.VisitReopenDeploymentRequestStepResponse, func(db *postgres.DB) (apigen.ReopenDeploymentRequestStepResponseObject, error) {
			row, err := h.requests(db).FinishStep(ctx, ifMatchRef(ctx, req.ID, nil), req.StepID, false, actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.ReopenDeploymentRequestStep200JSONResponse(toAPIStep(row)), nil
		})
}

func (h deploymentRequestHandlers) ListDeploymentRequestComments(ctx context.Context, req apigen.ListDeploymentRequestCommentsRequestObject) (apigen.ListDeploymentRequestCommentsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	if _, err := h.db.Tenant(account).GetDeploymentRequest(ctx, dbgen.GetDeploymentRequestParams{AccountID: account, ID: req.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.DeploymentRequestComment, apigen.DeploymentRequestComment]{
		scope: listScope{account: account, operation: "listDeploymentRequestComments", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.DeploymentRequestComment, error) {
			rows, err := db.ListRequestComments(ctx, dbgen.ListRequestCommentsParams{AccountID: account, RequestID: req.ID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.DeploymentRequestComment) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPIComment,
	})
	return apigen.ListDeploymentRequestComments200JSONResponse{Items: items, NextCursor: next}, err
}

func (h deploymentRequestHandlers) CreateDeploymentRequestComment(ctx context.Context, req apigen.CreateDeploymentRequestCommentRequestObject) (apigen.CreateDeploymentRequestCommentResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "createDeploymentRequestComment", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.CreateDeploymentRequestCommentResponseObject.VisitCreateDeploymentRequestCommentResponse, func(db *postgres.DB) (apigen.CreateDeploymentRequestCommentResponseObject, error) {
			row, err := h.requests(db).Comment(ctx, ifMatchRef(ctx, req.ID, nil), req.Body.Text, actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.CreateDeploymentRequestComment200JSONResponse(toAPIComment(row)), nil
		})
}

func (h deploymentRequestHandlers) ListDeploymentRequestActivity(ctx context.Context, req apigen.ListDeploymentRequestActivityRequestObject) (apigen.ListDeploymentRequestActivityResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	if _, err := h.db.Tenant(account).GetDeploymentRequest(ctx, dbgen.GetDeploymentRequestParams{AccountID: account, ID: req.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.DeploymentRequestActivity, apigen.DeploymentRequestActivity]{
		scope: listScope{account: account, operation: "listDeploymentRequestActivity", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.DeploymentRequestActivity, error) {
			rows, err := db.ListRequestActivity(ctx, dbgen.ListRequestActivityParams{AccountID: account, RequestID: req.ID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.DeploymentRequestActivity) keyset { return keyset{at: row.OccurredAt, id: row.ID} },
		item: toAPIActivity,
	})
	return apigen.ListDeploymentRequestActivity200JSONResponse{Items: items, NextCursor: next}, err
}

func toAPISlot(row dbgen.DeploymentRequestApproval) apigen.DeploymentRequestApproval {
	return apigen.DeploymentRequestApproval{
		ID: row.ID, ApprovalType: apigen.DeploymentRequestApprovalApprovalType(row.ApprovalType), Required: row.Required,
		Status: apigen.DeploymentRequestApprovalStatus(row.Status), DecidedBy: toNullable(row.DecidedBy), DecidedByName: toNullable(row.DecidedByName),
		ApproverRole: toNullable((*apigen.DeploymentRequestApprovalApproverRole)(row.ApproverRole)), DecidedAt: toNullableTime(row.DecidedAt),
		Comments: toNullable(row.Comments), CreatedAt: row.CreatedAt.UTC(),
	}
}

func toAPIStep(row dbgen.DeploymentRequestStep) apigen.DeploymentRequestStep {
	return apigen.DeploymentRequestStep{
		ID: row.ID, Phase: apigen.DeploymentRequestStepPhase(row.Phase), Title: row.Title, Description: row.Description, Position: int(row.Position),
		CompletedBy: toNullable(row.CompletedBy), CompletedByName: toNullable(row.CompletedByName), CompletedAt: toNullableTime(row.CompletedAt),
		CreatedAt: row.CreatedAt.UTC(),
	}
}

func toAPIComment(row dbgen.DeploymentRequestComment) apigen.DeploymentRequestComment {
	return apigen.DeploymentRequestComment{ID: row.ID, Text: row.Body, CreatedBy: row.CreatedBy, CreatedByName: row.CreatedByName, CreatedAt: row.CreatedAt.UTC()}
}

func toAPIActivity(row dbgen.DeploymentRequestActivity) apigen.DeploymentRequestActivity {
	return apigen.DeploymentRequestActivity{
		ID: row.ID, Action: row.Action, Status: apigen.DeploymentRequestActivityStatus(row.Status), Activation: int(row.Activation), Subject: toNullable(row.Subject),
		Comments: toNullable(row.Comments), ActorID: toNullable(row.ActorID), ActorName: toNullable(row.ActorName), OccurredAt: row.OccurredAt.UTC(),
	}
}
