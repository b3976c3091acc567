package seed

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/requests"
	"github.com/versioner-io/versioner/internal/templates"
)

// rules returns deployment rules. Those that block are for products of the sample data only, so that events of other products pass.
func rules(end time.Time) []string {
	friday := end.AddDate(0, 0, -14-(int(end.Weekday())+2)%7).Format(time.DateOnly)
	monday := end.AddDate(0, 0, -11-(int(end.Weekday())+2)%7).Format(time.DateOnly)
	return []string{
		fmt.Sprintf(`{"name":"Year-end freeze","rule_type":"schedule","scope":{"products":["storefront","cart-service","payments-api","order-service"],"environment_types":["production"]},
			"schedule":{"timezone":"Europe/Berlin","windows":[{"name":"Year end","effect":"deny","start":"%[1]d-12-18T18:00","end":"%[2]d-01-04T06:00","reason":"Peak season"}]}}`, end.Year(), end.Year()+1),
		fmt.Sprintf(`{"name":"Quiet weekends","rule_type":"schedule","mode":"report_only","scope":{"environment_types":["production"]},
			"schedule":{"timezone":"Europe/Berlin","windows":[{"name":"Weekend","effect":"deny","start":"%sT16:00","end":"%sT06:00","rrule":"FREQ=WEEKLY;BYDAY=FR","reason":"Few are at work"}]}}`, friday, monday),
		`{"name":"An hour in staging","rule_type":"flow","scope":{"products":["payments-api","fraud-detector","gift-cards"],"environments":["production"]},
			"flow":{"prerequisites":["qa","staging"],"strict_order":true,"min_soak_minutes":60}}`,
		`{"name":"One deployment to the warehouse at a time","rule_type":"concurrency","scope":{"products":["inventory-service","order-service","shipping-gateway"],"environments":["production"]},
			"concurrency":{"max_in_progress":1,"per":"scope","stale_after_minutes":60}}`,
		`{"name":"QA of gift cards","rule_type":"version_approval_required","scope":{"products":["gift-cards"],"environment_types":["production"]},
			"version_approval_required":{"required_approvals":["qa"]}}`,
		`{"name":"Change requests for payments","rule_type":"deployment_request_required","scope":{"products":["payments-api"],"environment_types":["production"]},
			"deployment_request_required":{"required_approvals":["qa","release_manager"]}}`,
	}
}

// request is a deployment request for versions that have completed in an environment, to production.
type request struct {
	name, description string
	by                User
	versions          []string // products
	in                string
	approvals         []requests.Slot
	steps             []requests.Step
	verbs             []requests.Verb // Approve and Reject are about the slots in their order
}

func deploymentRequests() []request {
	priya, sofia := requests.Slot{Type: policy.ReleaseManager, Required: true}, requests.Slot{Type: policy.QA, Required: true}
	return []request{
		{
			name: "Instant transfers", description: "Refunds within a minute, behind a flag", by: userNamed("Leila Haddad"), versions: []string{"payments-api", "fraud-detector"}, in: "staging",
			approvals: []requests.Slot{sofia, priya},
			steps:     []requests.Step{{Phase: requests.PrePhase, Title: "Warn the support team"}, {Phase: requests.PrePhase, Title: "Take a backup of the ledger"}, {Phase: requests.PostPhase, Title: "Watch the error rate for an hour"}},
			verbs:     []requests.Verb{requests.Activate, requests.Approve},
		},
		{
			name: "Gift wrapping", by: userNamed("Leila Haddad"), versions: []string{"storefront", "order-service", "shipping-gateway"}, in: "staging",
			approvals: []requests.Slot{sofia}, verbs: []requests.Verb{requests.Activate, requests.Approve},
		},
		{
			name: "New index of the search", description: "Results changed for 2 % of the queries", by: userNamed("Yuki Tanaka"), versions: []string{"search-api", "catalog-service"}, in: "qa",
			approvals: []requests.Slot{sofia, priya}, verbs: []requests.Verb{requests.Activate, requests.Reject},
		},
		{
			name: "Weekly release", by: userNamed("Jonas Lindqvist"), versions: []string{"cart-service", "pricing-engine"}, in: "production",
			approvals: []requests.Slot{sofia, priya}, verbs: []requests.Verb{requests.Activate, requests.Approve, requests.Approve, requests.Complete},
		},
		{name: "Loyalty tiers", description: "Silver and gold", by: userNamed("Mateo Herrera"), versions: []string{"loyalty-service", "mobile-bff"}, in: "dev", approvals: []requests.Slot{sofia}},
	}
}

func userNamed(name string) User {
	return users()[slices.IndexFunc(users(), func(user User) bool { return user.Name == name })]
}

// as returns a user as the actor of a change, and a context with them.
func (w *writer) as(ctx context.Context, user User, at time.Time) (context.Context, governance.Actor) {
	id := w.ids[user.Name]
	return audit.WithActor(ctx, audit.Actor{Type: "user", ID: &id, Name: user.email(), Credential: credential, At: at}), governance.Actor{ID: id, Name: user.Name, Role: user.Role}
}

// writeGovernance writes deployment rules and what they led to. No user gets mail.
func (w *writer) writeGovernance(ctx context.Context) error {
	end := w.history.End
	for i, rule := range rules(end) {
		at := w.history.Start.Add(2*day + time.Duration(9+i)*time.Hour)
		ctx, _ := w.as(ctx, userNamed("Jonas Lindqvist"), at)
		if _, err := (governance.Rules{DB: w.db}).Create(ctx, w.account, json.RawMessage(rule), at); err != nil {
			return fmt.Errorf("rule %d: %w", i, err)
		}
	}
	for i, request := range deploymentRequests() {
		if err := w.writeRequest(ctx, request, end.Add(-time.Duration(30-5*i)*time.Hour)); err != nil {
			return fmt.Errorf("deployment request %q: %w", request.name, err)
		}
	}
	if err := w.writeTemplates(ctx, end.Add(-6*day)); err != nil {
		return err
	}
	at := end.Add(-26 * time.Hour)
	asQA, qa := w.as(ctx, userNamed("Sofia Rossi"), at)
	if version := w.newest("gift-cards", "qa"); version != "" {
		approval := governance.NewApproval{Type: policy.QA, Decision: policy.Approved, Comments: "Regression suite passed"}
		if _, err := governance.ApproveVersion(asQA, w.db, w.account, w.ids[version], approval, qa, at); err != nil {
			return err
		}
	}
	at = end.Add(-20 * time.Hour)
	asSRE, sre := w.as(ctx, userNamed("Tomasz Kowalski"), at)
	grants := governance.Grants{DB: w.db, EmailAdmins: func(context.Context, *postgres.DB, uuid.UUID, string, string) error { return nil }}
	_, err := grants.Create(asSRE, w.account, governance.NewGrant{
		ProductID: w.ids["payments-api"], EnvironmentID: w.ids["production"], Version: strings.TrimPrefix(w.newest("payments-api", "staging"), "payments-api "),
		Reason: "Refunds fail since 14:05, this version has the fix",
	}, sre, at)
	return err
}

// newest returns the product and version that completed last in an environment, empty if there is none.
func (w *writer) newest(product, environment string) string {
	for _, event := range slices.Backward(w.history.Events) {
		if event.ProductName == product && event.EnvironmentName == environment && event.Status == ingest.Completed {
			return product + " " + event.Version
		}
	}
	return ""
}

func (w *writer) writeRequest(ctx context.Context, one request, at time.Time) error {
	service := requests.Requests{DB: w.db}
	asCreator, creator := w.as(ctx, one.by, at)
	id, err := service.Create(asCreator, w.account, requests.New{
		Name: one.name, Description: one.description, EnvironmentIDs: []uuid.UUID{w.ids["production"]}, Approvals: one.approvals, Steps: one.steps, Gate: true,
	}, creator, at)
	if err != nil {
		return err
	}
	target := etag.Ref{AccountID: w.account, ID: id}
	for _, product := range one.versions {
		version := w.newest(product, one.in)
		if version == "" {
			continue
		}
		if _, err := service.AddVersion(asCreator, target, w.ids[version], creator, at); err != nil {
			return err
		}
	}
	slots, err := w.db.ListRequestSlots(ctx, dbgen.ListRequestSlotsParams{AccountID: w.account, Requests: []uuid.UUID{id}})
	if err != nil {
		return postgres.Classify(err)
	}
	decided := 0
	for _, verb := range one.verbs {
		at = at.Add(17 * minute)
		asCreator, creator := w.as(ctx, one.by, at)
		if verb != requests.Approve && verb != requests.Reject {
			if err := service.Transition(asCreator, target, verb, creator, at); err != nil {
				return err
			}
			continue
		}
		slot := slots[slices.IndexFunc(slots, func(row dbgen.DeploymentRequestApproval) bool {
			return row.ApprovalType == string(one.approvals[decided].Type)
		})]
		decided++
		approver := userNamed("Sofia Rossi")
		if slot.ApprovalType == string(policy.ReleaseManager) {
			approver = userNamed("Priya Raman")
		}
		decision := requests.Decision{Verb: verb, Activation: 1}
		if verb == requests.Reject {
			decision.Comments = "Empty results for words with umlauts"
		}
		asApprover, actor := w.as(ctx, approver, at)
		if _, err := service.Decide(asApprover, target, slot.ID, decision, actor, at); err != nil {
			return err
		}
	}
	return nil
}

// writeTemplates creates a template of deployment requests, and a button of a product with a variable.
func (w *writer) writeTemplates(ctx context.Context, at time.Time) error {
	ctx, _ = w.as(ctx, userNamed("Priya Raman"), at)
	production := []uuid.UUID{w.ids["production"]}
	_, err := requests.Templates{DB: w.db}.Create(ctx, w.account, requests.Template{
		Name: new("Change of payments"), Description: new("As the auditors require"), EnvironmentIDs: &production, Gate: new(true),
		Approvals: &deploymentRequests()[0].approvals, Steps: &deploymentRequests()[0].steps,
	}, at)
	if err != nil {
		return err
	}
	if _, err := (templates.Variables{DB: w.db}).Create(ctx, w.account, templates.NewVariable{Key: "workflow", Value: "deploy.yml"}, at); err != nil {
		return err
	}
	_, err = templates.Templates{DB: w.db}.Create(ctx, w.account, templates.NewTemplate{
		ProductID: w.ids["storefront"], Name: "Run workflow", URLTemplate: "https://github.example.com/" + company + "/storefront/actions/workflows/{{workflow}}?version={{vi_version}}",
		EnvironmentIDs: production, Enabled: true,
	}, at)
	return err
}
