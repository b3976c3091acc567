package httpapi

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

type approvalHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
}

// actorOf returns the user of a request as the one who decides.
func actorOf(principal authn.Principal) governance.Actor {
	return governance.Actor{ID: principal.UserID, Name: principal.UserName, Role: principal.Role}
}

func (h approvalHandlers) ListVersionApprovals(ctx context.Context, req apigen.ListVersionApprovalsRequestObject) (apigen.ListVersionApprovalsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	if _, err := h.db.Tenant(account).GetVersion(ctx, dbgen.GetVersionParams{AccountID: account, ID: req.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.ListVersionApprovalsRow, apigen.VersionApproval]{
		scope: listScope{account: account, operation: "listVersionApprovals", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.ListVersionApprovalsRow, error) {
			rows, err := db.ListVersionApprovals(ctx, dbgen.ListVersionApprovalsParams{
				AccountID: account, VersionID: req.ID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at: func(row dbgen.ListVersionApprovalsRow) keyset {
			return keyset{at: row.VersionApproval.CreatedAt, id: row.VersionApproval.ID}
		},
		item: func(row dbgen.ListVersionApprovalsRow) apigen.VersionApproval {
			return toAPIApproval(row.VersionApproval, row.EnvironmentName, row.Counts)
		},
	})
	return apigen.ListVersionApprovals200JSONResponse{Items: items, NextCursor: next}, err
}

func (h approvalHandlers) CreateVersionApproval(ctx context.Context, req apigen.CreateVersionApprovalRequestObject) (apigen.CreateVersionApprovalResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	return once(ctx, h.idempotency, h.db.Tenant(principal.AccountID), idempotentOperation{operation: "createVersionApproval", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.CreateVersionApprovalResponseObject.VisitCreateVersionApprovalResponse, func(db *postgres.DB) (apigen.CreateVersionApprovalResponseObject, error) {
			approval := governance.NewApproval{
				Type: policy.ApprovalType(req.Body.ApprovalType), Decision: policy.Decision(req.Body.Decision),
				EnvironmentID: fromNullable(req.Body.EnvironmentID), Comments: ptr.Or(fromNullable(req.Body.Comments), ""),
			}
			given, err := governance.ApproveVersion(ctx, db, principal.AccountID, req.ID, approval, actorOf(principal), time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.CreateVersionApproval200JSONResponse(toAPIApproval(given.VersionApproval, given.EnvironmentName, true)), nil
		})
}

func (h approvalHandlers) RevokeVersionApproval(ctx context.Context, req apigen.RevokeVersionApprovalRequestObject) (apigen.RevokeVersionApprovalResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	err := governance.RevokeApproval(ctx, h.db.Tenant(principal.AccountID), principal.AccountID, req.ID, req.ApprovalID, actorOf(principal), time.Now())
	return apigen.RevokeVersionApproval204Response{}, err
}

func toAPIApproval(row dbgen.VersionApproval, environment *string, counts bool) apigen.VersionApproval {
	return apigen.VersionApproval{
		ID: row.ID, VersionID: row.VersionID, ApprovalType: apigen.ApprovalType(row.ApprovalType), Decision: apigen.ApprovalDecision(row.Decision),
		EnvironmentID: toNullable(row.EnvironmentID), EnvironmentName: toNullable(environment), Comments: toNullable(row.Comments),
		ApproverRole: apigen.Role(row.ApproverRole), GivenBy: toNullable(row.GivenBy), GivenByName: row.GivenByName, CreatedAt: row.CreatedAt.UTC(), Counts: counts,
		RevokedAt: toNullableTime(row.RevokedAt), RevokedBy: toNullable(row.RevokedBy), RevokedByName: toNullable(row.RevokedByName),
	}
}
