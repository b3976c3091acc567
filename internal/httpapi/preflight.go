package httpapi

import (
	"context"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

type preflightHandlers struct {
	db        *postgres.TenantPool
	preflight *governance.Service
}

func (h preflightHandlers) Preflight(ctx context.Context, req apigen.PreflightRequestObject) (apigen.PreflightResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	question := governance.Question{
		ProductID: req.Body.ProductID, VersionID: req.Body.VersionID, EnvironmentID: req.Body.EnvironmentID,
		Product: ptr.OrZero(req.Body.ProductName), Version: ptr.OrZero(req.Body.Version), Environment: ptr.OrZero(req.Body.EnvironmentName), At: fromNullable(req.Body.At),
	}
	if err := requireSubjects(question); err != nil {
		return nil, err
	}
	answer, err := h.preflight.Preflight(ctx, h.db.Tenant(account), account, question)
	if err != nil {
		return nil, err
	}
	return apigen.Preflight200JSONResponse(toAPIPreflight(answer)), nil
}

// requireSubjects returns an error for what a question gives neither by identifier nor by name.
func requireSubjects(q governance.Question) error {
	var fields []apperr.Field
	require := func(id *uuid.UUID, name, member string) {
		if id == nil && name == "" {
			fields = append(fields, apperr.Field{Loc: []any{"body", member}, Msg: "field required", Type: "value_error.missing"})
		}
	}
	require(q.EnvironmentID, q.Environment, "environment_name")
	if q.VersionID == nil { // a version has its product
		require(q.ProductID, q.Product, "product_name")
	}
	require(q.VersionID, q.Version, "version")
	if len(fields) > 0 {
		return apperr.NewInvalid(fields...)
	}
	return nil
}

func toAPIPreflight(answer governance.Answer) apigen.Preflight {
	converted := apigen.Preflight{
		WouldAllow: answer.WouldAllow, EvaluatedAt: answer.EvaluatedAt.UTC(), Violations: toAPIPreflightViolations(answer.Violations), Reports: toAPIPreflightViolations(answer.Reports),
		MissingApprovals: make([]apigen.MissingApproval, len(answer.MissingApprovals)), Warnings: make([]apigen.PreflightWarning, len(answer.Warnings)),
		UsableGrantID: toNullable(answer.UsableGrantID), NextAllowedAt: toNullableTime(answer.NextAllowedAt), Certain: answer.Certain,
		EarliestAfterApprovals: toNullableTime(answer.EarliestAfterApprovals), NextBlockAt: toNullableTime(answer.NextBlockAt),
	}
	for i, missing := range answer.MissingApprovals {
		converted.MissingApprovals[i] = apigen.MissingApproval{
			ApprovalType: apigen.ApprovalType(missing.Type), Roles: convertAll[apigen.Role](missing.Roles), RuleID: toNullable(missing.RuleID),
			DeploymentRequestID: toNullable(missing.DeploymentRequestID),
		}
	}
	for i, warning := range answer.Warnings {
		converted.Warnings[i] = apigen.PreflightWarning{Code: apigen.PreflightWarningCode(warning.Code), Message: warning.Message}
	}
	converted.BindingRule = toAPIBinding(answer.BindingRule)
	return converted
}

func toAPIBinding(binding *policy.Binding) nullable.Nullable[apigen.BindingRule] {
	if binding == nil {
		return nullable.NewNullNullable[apigen.BindingRule]()
	}
	return nullable.NewNullableWithValue(apigen.BindingRule{ID: toNullable(ptr.NonZero(binding.ID)), Name: binding.Name, Type: apigen.RuleType(binding.Type)})
}

func toAPIPreflightViolations(violations []policy.Violation) []apigen.PreflightViolation {
	converted := make([]apigen.PreflightViolation, len(violations))
	for i, v := range violations {
		converted[i] = apigen.PreflightViolation{
			RuleID: toNullable(ptr.NonZero(v.RuleID)), RuleName: v.RuleName, RuleType: apigen.RuleType(v.RuleType), Code: apigen.PolicyCode(v.Code), Message: v.Message,
			ClearsAt: toNullableTime(v.ClearsAt), Certain: v.Certain, Details: v.Details.Members(),
		}
	}
	return converted
}
