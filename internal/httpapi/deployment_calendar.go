package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/httpapi/validation"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

func (h deploymentRuleHandlers) ListDeploymentCalendar(ctx context.Context, req apigen.ListDeploymentCalendarRequestObject) (apigen.ListDeploymentCalendarResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, _, err := filteredCalendar(ctx, h.db.Tenant(account), account, calendarFilter(req.Params))
	if err != nil {
		return nil, err
	}
	listed := make([]apigen.CalendarItem, 0, len(items))
	for _, item := range items[:min(len(items), calendar.MaxEvents)] {
		listed = append(listed, toAPICalendarItem(item))
	}
	return apigen.ListDeploymentCalendar200JSONResponse{Items: listed, Truncated: len(items) > len(listed)}, nil
}

func (h deploymentRuleHandlers) ImportDeploymentRuleCalendar(ctx context.Context, req apigen.ImportDeploymentRuleCalendarRequestObject) (apigen.ImportDeploymentRuleCalendarResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	rule, err := h.rules(h.db.Tenant(account)).ImportCalendar(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch), validation.RawBody(ctx), time.Now())
	if err != nil {
		return nil, err
	}
	return apigen.ImportDeploymentRuleCalendar200JSONResponse{Body: toAPIRule(rule), Headers: apigen.ImportDeploymentRuleCalendar200ResponseHeaders{ETag: etag.Of(rule.Revision)}}, nil
}

// SubscribeDeploymentCalendar lists what ListDeploymentCalendar does, for a calendar program.
func (h calendarFeedHandlers) SubscribeDeploymentCalendar(ctx context.Context, req apigen.SubscribeDeploymentCalendarRequestObject) (apigen.SubscribeDeploymentCalendarResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, changedAt, err := filteredCalendar(ctx, h.db.Tenant(account), account, calendarFilter{
		From: req.Params.From, Until: req.Params.Until, Product: req.Params.Product, Environment: req.Params.Environment, RuleID: req.Params.RuleID,
	})
	return icalendar(calendar.Write(items, changedAt)), err
}

// icalendar is a response with the charset, which the generated one does not have.
type icalendar []byte

func (c icalendar) VisitSubscribeDeploymentCalendarResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	_, err := w.Write(c)
	return err //nolint:wrapcheck // of the connection
}

// calendarFilter selects occurrences by time, product and environment.
type calendarFilter apigen.ListDeploymentCalendarParams

// filteredCalendar returns the occurrences that a filter selects, and when one of their rules was last changed.
func filteredCalendar(ctx context.Context, db *postgres.DB, account uuid.UUID, filter calendarFilter) ([]calendar.Item, time.Time, error) {
	from, until, err := governance.CalendarRange(filter.From, filter.Until, time.Now())
	if err != nil {
		return nil, time.Time{}, err
	}
	product, environment, err := filteredRefs(ctx, db, account, filter.Product, filter.Environment)
	if err != nil {
		return nil, time.Time{}, err
	}
	return governance.Calendar(ctx, db, account, governance.CalendarFilter{Product: product, Environment: environment, Rule: filter.RuleID}, from, until)
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
