package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

func (h deploymentRuleHandlers) ListDeploymentCalendar(ctx context.Context, req apigen.ListDeploymentCalendarRequestObject) (apigen.ListDeploymentCalendarResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	from, until, err := governance.CalendarRange(req.Params.From, req.Params.Until, time.Now())
	if err != nil {
		return nil, err
	}
	db := h.db.Tenant(account)
	product, environment, err := filteredRefs(ctx, db, account, req.Params.Product, req.Params.Environment)
	if err != nil {
		return nil, err
	}
	filter := governance.CalendarFilter{Product: product, Environment: environment, Rule: req.Params.RuleID}
	items, err := governance.Calendar(ctx, db, account, filter, from, until)
	if err != nil {
		return nil, err
	}
	listed := make([]apigen.CalendarItem, 0, len(items))
	for _, item := range items[:min(len(items), calendar.MaxEvents)] {
		listed = append(listed, toAPICalendarItem(item))
	}
	return apigen.ListDeploymentCalendar200JSONResponse{Items: listed, Truncated: len(items) > len(listed)}, nil
}

// filteredRefs returns the product and the environment that filters give, nil without a filter. Rules may name what does not exist: an
// unknown one has the name alone.
func filteredRefs(ctx context.Context, db *postgres.DB, account uuid.UUID, product, environment *string) (ofProduct, ofEnvironment *policy.Ref, err error) {
	found, err := resolveNames(ctx, db, account, product, environment)
	if err != nil {
		return nil, nil, err
	}
	if product != nil {
		names, err := db.ListProductNames(ctx, dbgen.ListProductNamesParams{AccountID: account, IDs: []uuid.UUID{*found.product}})
		if err != nil {
			return nil, nil, postgres.Classify(err)
		}
		ofProduct = &policy.Ref{ID: *found.product, Names: []string{*product}}
		for _, row := range names {
			ofProduct.Names = append(ofProduct.Names, row.Name)
		}
	}
	if environment != nil {
		names, err := db.ListEnvironmentNames(ctx, dbgen.ListEnvironmentNamesParams{AccountID: account, IDs: []uuid.UUID{*found.environment}})
		if err != nil {
			return nil, nil, postgres.Classify(err)
		}
		ofEnvironment = &policy.Ref{ID: *found.environment, Names: []string{*environment}}
		for _, row := range names {
			ofEnvironment.Names = append(ofEnvironment.Names, row.Name)
		}
		if *found.environment != uuid.Nil {
			row, err := db.GetEnvironment(ctx, dbgen.GetEnvironmentParams{AccountID: account, ID: *found.environment})
			if err != nil {
				return nil, nil, postgres.Classify(err)
			}
			ofEnvironment.Type = row.Type
		}
	}
	return ofProduct, ofEnvironment, nil
}

func toAPICalendarItem(item calendar.Item) apigen.CalendarItem {
	return apigen.CalendarItem{
		RuleID: item.RuleID, RuleName: item.RuleName, Mode: apigen.RuleMode(item.Mode), Effect: apigen.WindowEffect(item.Effect), WindowName: item.WindowName,
		Reason: toNullable(item.Reason), StartsAt: item.StartsAt.UTC(), EndsAt: item.EndsAt.UTC(), Scope: toAPIScope(item.Scope),
	}
}
