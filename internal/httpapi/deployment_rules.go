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
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/httpapi/validation"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

type deploymentRuleHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
	changes     governance.Announcer
}

func (h deploymentRuleHandlers) rules(db *postgres.DB) governance.Rules {
	return governance.Rules{DB: db, Changes: h.changes}
}

func (h deploymentRuleHandlers) ListDeploymentRules(ctx context.Context, req apigen.ListDeploymentRulesRequestObject) (apigen.ListDeploymentRulesResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := paginate(ctx, h.db, h.cursors, page[governance.Rule, apigen.DeploymentRule]{
		scope: listScope{account: account, operation: "listDeploymentRules", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]governance.Rule, error) {
			return listRules(ctx, db, dbgen.ListDeploymentRulesParams{AccountID: account, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit})
		},
		at:   func(rule governance.Rule) keyset { return keyset{at: rule.CreatedAt, id: rule.ID} },
		item: toAPIRule,
	})
	return apigen.ListDeploymentRules200JSONResponse{Items: items, NextCursor: next}, err
}

func listRules(ctx context.Context, db *postgres.DB, params dbgen.ListDeploymentRulesParams) ([]governance.Rule, error) {
	rows, err := db.ListDeploymentRules(ctx, params)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	rules, problems := make([]governance.Rule, len(rows)), make([]error, len(rows))
	for i, row := range rows {
		rules[i], problems[i] = governance.RuleOf(row)
	}
	return rules, errors.Join(problems...)
}

func (h deploymentRuleHandlers) GetDeploymentRule(ctx context.Context, req apigen.GetDeploymentRuleRequestObject) (apigen.GetDeploymentRuleResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetDeploymentRule(ctx, dbgen.GetDeploymentRuleParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	rule, err := governance.RuleOf(row)
	return apigen.GetDeploymentRule200JSONResponse{Body: toAPIRule(rule), Headers: apigen.GetDeploymentRule200ResponseHeaders{ETag: etag.Of(row.Revision)}}, err
}

func (h deploymentRuleHandlers) CreateDeploymentRule(ctx context.Context, req apigen.CreateDeploymentRuleRequestObject) (apigen.CreateDeploymentRuleResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	body, err := validation.ValidBody(ctx)
	if err != nil {
		return nil, err
	}
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "createDeploymentRule", key: req.Params.IdempotencyKey},
		apigen.CreateDeploymentRuleResponseObject.VisitCreateDeploymentRuleResponse, func(db *postgres.DB) (apigen.CreateDeploymentRuleResponseObject, error) {
			rule, err := h.rules(db).Create(ctx, account, body, time.Now())
			if err != nil {
				return nil, err
			}
			return apigen.CreateDeploymentRule201JSONResponse{
				Body: toAPIRule(rule), Headers: apigen.CreateDeploymentRule201ResponseHeaders{ETag: etag.Of(rule.Revision), Location: locationOf("/deployment-rules/", rule.ID)},
			}, nil
		})
}

func (h deploymentRuleHandlers) UpdateDeploymentRule(ctx context.Context, req apigen.UpdateDeploymentRuleRequestObject) (apigen.UpdateDeploymentRuleResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	patch, err := validation.ValidBody(ctx)
	if err != nil {
		return nil, err
	}
	rule, err := h.rules(h.db.Tenant(account)).Update(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch), patch, time.Now())
	if err != nil {
		return nil, err
	}
	return apigen.UpdateDeploymentRule200JSONResponse{Body: toAPIRule(rule), Headers: apigen.UpdateDeploymentRule200ResponseHeaders{ETag: etag.Of(rule.Revision)}}, nil
}

func (h deploymentRuleHandlers) DeleteDeploymentRule(ctx context.Context, req apigen.DeleteDeploymentRuleRequestObject) (apigen.DeleteDeploymentRuleResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return apigen.DeleteDeploymentRule204Response{}, h.rules(h.db.Tenant(account)).Delete(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch), time.Now())
}

func (h deploymentRuleHandlers) ListRuleViolations(ctx context.Context, req apigen.ListRuleViolationsRequestObject) (apigen.ListRuleViolationsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	names, err := resolveNames(ctx, h.db.Tenant(account), account, req.Params.Product, req.Params.Environment)
	if err != nil {
		return nil, err
	}
	rule, err := h.ruleFilter(ctx, account, req.Params.Rule)
	if err != nil {
		return nil, err
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.ListRuleViolationsRow, apigen.RuleViolation]{
		scope: listScope{account: account, operation: "listRuleViolations", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.ListRuleViolationsRow, error) {
			if names.matchNothing {
				return nil, nil
			}
			rows, err := db.ListRuleViolations(ctx, dbgen.ListRuleViolationsParams{
				AccountID: account, RuleID: rule, ProductID: names.product, EnvironmentID: names.environment, Action: (*string)(req.Params.Action),
				Code: (*string)(req.Params.Code), Since: req.Params.Since, Until: req.Params.Until, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at: func(row dbgen.ListRuleViolationsRow) keyset {
			return keyset{at: row.RuleViolation.OccurredAt, id: row.RuleViolation.ID}
		},
		item: toAPIViolation,
	})
	return apigen.ListRuleViolations200JSONResponse{Items: items, NextCursor: next}, err
}

// ruleFilter returns the identifier of the rule that a filter gives, nil without a filter. An unknown name is the nil UUID, which no
// rule has.
func (h deploymentRuleHandlers) ruleFilter(ctx context.Context, account uuid.UUID, rule *string) (*uuid.UUID, error) {
	id, name := idOrName(rule)
	if name == nil {
		return id, nil
	}
	found, err := h.db.Tenant(account).ListDeploymentRulesOfName(ctx, dbgen.ListDeploymentRulesOfNameParams{AccountID: account, Name: *name})
	if err != nil || len(found) == 0 {
		return &uuid.Nil, postgres.Classify(err)
	}
	return &found[0], nil
}

func (h deploymentRuleHandlers) GetGovernanceSettings(ctx context.Context, _ apigen.GetGovernanceSettingsRequestObject) (apigen.GetGovernanceSettingsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	state, err := governance.Settings(ctx, h.db.Tenant(account), account)
	if err != nil {
		return nil, err
	}
	return apigen.GetGovernanceSettings200JSONResponse{
		Body: toAPIGovernanceSettings(state), Headers: apigen.GetGovernanceSettings200ResponseHeaders{ETag: etag.Of(state.SettingsRevision)},
	}, nil
}

func (h deploymentRuleHandlers) UpdateGovernanceSettings(ctx context.Context, req apigen.UpdateGovernanceSettingsRequestObject) (apigen.UpdateGovernanceSettingsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	state, err := h.rules(h.db.Tenant(account)).UpdateSettings(ctx, ifMatchRef(ctx, account, req.Params.IfMatch), governance.SettingsPatch{
		RequesterMayApprove: req.Body.RequesterMayApprove, BreakGlassSecondPerson: req.Body.BreakGlassSecondPerson,
		BreakGlassMaxMinutes: req.Body.BreakGlassMaxMinutes, ApprovalMails: req.Body.ApprovalMails,
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return apigen.UpdateGovernanceSettings200JSONResponse{
		Body: toAPIGovernanceSettings(state), Headers: apigen.UpdateGovernanceSettings200ResponseHeaders{ETag: etag.Of(state.SettingsRevision)},
	}, nil
}

func toAPIGovernanceSettings(state dbgen.GovernanceState) apigen.GovernanceSettings {
	return apigen.GovernanceSettings{
		RequesterMayApprove: state.RequesterMayApprove, BreakGlassSecondPerson: state.BreakGlassSecondPerson,
		BreakGlassMaxMinutes: int(state.BreakGlassMaxMinutes), ApprovalMails: state.ApprovalMails, UpdatedAt: toNullableTime(state.SettingsUpdatedAt),
	}
}

func toAPIViolation(row dbgen.ListRuleViolationsRow) apigen.RuleViolation {
	found := row.RuleViolation
	return apigen.RuleViolation{
		ID: found.ID, RuleID: toNullable(found.RuleID), RuleName: found.RuleName, RuleType: apigen.RuleType(found.RuleType),
		Action: apigen.ViolationAction(found.Action), Code: apigen.PolicyCode(found.Code), Message: found.Message,
		ClearsAt: toNullableTime(found.ClearsAt), Certain: found.Certain, DeploymentID: found.DeploymentID,
		ProductID: found.ProductID, ProductName: row.ProductName, VersionID: found.VersionID, Version: row.Version,
		EnvironmentID: found.EnvironmentID, EnvironmentName: row.EnvironmentName, OccurredAt: found.OccurredAt.UTC(),
	}
}

func toAPIRule(rule governance.Rule) apigen.DeploymentRule {
	converted := apigen.DeploymentRule{
		ID: rule.ID, Name: rule.Name, RuleType: apigen.RuleType(rule.Type), Mode: apigen.RuleMode(rule.Mode), Priority: rule.Priority,
		Rollback: (*apigen.RuleRollback)(rule.Rollback), Scope: toAPIScope(rule.Scope),
		CreatedAt: rule.CreatedAt.UTC(), UpdatedAt: rule.UpdatedAt.UTC(),
	}
	switch {
	case rule.Schedule != nil:
		converted.Schedule = toAPISchedule(rule.Schedule)
	case rule.Flow != nil:
		converted.Flow = &apigen.RuleFlow{
			Prerequisites: rule.Flow.Prerequisites, StrictOrder: rule.Flow.StrictOrder, MinSoakMinutes: rule.Flow.MinSoakMinutes,
		}
	case rule.Concurrency != nil:
		converted.Concurrency = &apigen.RuleConcurrency{
			MaxInProgress: rule.Concurrency.MaxInProgress, Per: apigen.ConcurrencyGroup(rule.Concurrency.Per), StaleAfterMinutes: rule.Concurrency.StaleAfterMinutes,
		}
	case rule.DeploymentRequest != nil:
		converted.DeploymentRequestRequired = &apigen.RuleDeploymentRequest{
			RequiredApprovals:    convertAll[apigen.ApprovalType](rule.DeploymentRequest.RequiredApprovals),
			ApprovalTimeoutHours: toNullable(rule.DeploymentRequest.ApprovalTimeoutHours), RequirePreSteps: rule.DeploymentRequest.RequirePreSteps,
		}
	case rule.VersionApproval != nil:
		converted.VersionApprovalRequired = &apigen.RuleVersionApproval{
			RequiredApprovals: convertAll[apigen.ApprovalType](rule.VersionApproval.RequiredApprovals),
			Environment:       toNullable(rule.VersionApproval.Environment), ApprovalTimeoutHours: toNullable(rule.VersionApproval.ApprovalTimeoutHours),
		}
	}
	return converted
}

func toAPIScope(scope policy.Scope) apigen.RuleScope {
	return apigen.RuleScope{Products: scope.Products, Environments: scope.Environments, EnvironmentTypes: convertAll[apigen.EnvironmentType](scope.EnvironmentTypes)}
}

func toAPISchedule(schedule *policy.Schedule) *apigen.RuleSchedule {
	windows := make([]apigen.RuleWindow, len(schedule.Windows))
	for i, window := range schedule.Windows {
		windows[i] = apigen.RuleWindow{
			Name: window.Name, Effect: apigen.WindowEffect(window.Effect), Start: window.Start, End: window.End,
			Rrule: toNullable(window.RRule), Exdates: window.ExDates, Reason: toNullable(window.Reason),
		}
	}
	return &apigen.RuleSchedule{Timezone: schedule.Timezone, Windows: windows}
}

// convertAll converts each of several texts to another type.
func convertAll[To, From ~string](texts []From) []To {
	converted := make([]To, len(texts))
	for i, text := range texts {
		converted[i] = To(text)
	}
	return converted
}
