package governance

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

// closesSoon is how long before the next time that a rule blocks an answer warns of it.
const closesSoon = 30 * time.Minute

// Service answers questions about deployment rules.
type Service struct {
	Rules *Cache
	Clock func() time.Time
}

// Question is whether a version of a product may be deployed to an environment at a time. Each of them has an identifier or a name.
type Question struct {
	ProductID, VersionID, EnvironmentID *uuid.UUID
	Product, Version, Environment       string
	At                                  *time.Time // nil: now
}

// Answer is what rules say about a question.
type Answer struct {
	WouldAllow  bool
	EvaluatedAt time.Time // the time that was asked for
	Violations  []policy.Violation
	Reports     []policy.Violation // of rules that report only

	MissingApprovals []MissingApproval
	Warnings         []Warning
	UsableGrantID    *uuid.UUID // the break-glass grant that the start would use

	NextAllowedAt          *time.Time // nil: waiting does not suffice
	Certain                bool
	BindingRule            *policy.Binding // that blocks until then
	EarliestAfterApprovals *time.Time
	NextBlockAt            *time.Time
}

// MissingApproval is an approval that a rule requires.
type MissingApproval struct {
	Type                policy.ApprovalType
	Roles               []string // whose users may give it
	RuleID              *uuid.UUID
	DeploymentRequestID *uuid.UUID
}

// WarningCode says what a warning is about.
type WarningCode string

// The warnings.
const (
	UnknownProduct     WarningCode = "unknown_product"
	UnknownEnvironment WarningCode = "unknown_environment"
	UnknownVersion     WarningCode = "unknown_version"
	WindowClosesSoon   WarningCode = "window_closes_soon"
	NeverAllowed       WarningCode = "never_allowed"
)

// Warning is what else matters to who asks.
type Warning struct {
	Code    WarningCode
	Message string
}

// Preflight answers a question of an account, and creates nothing. The error is NotFound for an unknown identifier, and Invalid for a time
// that is past or beyond the horizon of schedules. db is the handle of the account.
func (s *Service) Preflight(ctx context.Context, db *postgres.DB, accountID uuid.UUID, question Question) (Answer, error) {
	now := s.Clock()
	at := now
	if question.At != nil {
		if at = *question.At; at.Before(now.Add(-time.Minute)) || !at.Before(now.Add(policy.Horizon)) {
			return Answer{}, apperr.NewInvalid(apperr.Field{Loc: []any{"body", "at"}, Msg: "must be in the next 400 days", Type: "value_error.at"})
		}
	}
	return postgres.WithTxV(ctx, db, func(tx *postgres.DB) (Answer, error) {
		if err := question.resolve(ctx, tx, accountID); err != nil {
			return Answer{}, err
		}
		batchTx := tx.BatchTx()
		rules, err := s.Rules.current(ctx, batchTx, accountID, now)
		if err != nil {
			return Answer{}, err
		}
		if !rules.IsEmpty() && !rules.Set.Covers(at) {
			generation := s.Rules.Generation()
			loaded, err := s.Rules.LoadRules(ctx, batchTx, map[uuid.UUID]int64{accountID: rules.Revision}, now)
			if err != nil {
				return Answer{}, postgres.Classify(err)
			}
			s.Rules.Put(generation, loaded)
			rules = loaded[accountID]
		}
		known, warnings, err := loadFacts(ctx, batchTx, rules, ingest.Start{
			AccountID: accountID, Product: question.Product, Environment: question.Environment, Version: question.Version,
		}, now)
		if err != nil {
			return Answer{}, err
		}
		return answer(rules, at, known, warnings), nil
	})
}

// resolve sets the names of what has an identifier. The error is Invalid if a name beside it is that of something else.
func (q *Question) resolve(ctx context.Context, db *postgres.DB, accountID uuid.UUID) error {
	if q.ProductID == nil && q.EnvironmentID == nil && q.VersionID == nil {
		return nil
	}
	named, err := db.ResolveFilters(ctx, dbgen.ResolveFiltersParams{AccountID: accountID, ProductName: q.Product, EnvironmentName: q.Environment})
	if err != nil {
		return postgres.Classify(err)
	}
	contradictions := contradictions{}
	if q.ProductID != nil {
		row, err := db.GetProduct(ctx, dbgen.GetProductParams{AccountID: accountID, ID: *q.ProductID})
		if err != nil {
			return postgres.Classify(err)
		}
		contradictions.add("product_name", q.Product != "" && named.ProductID != row.ID)
		q.Product, named.ProductID = row.Name, row.ID
	}
	if q.EnvironmentID != nil {
		row, err := db.GetEnvironment(ctx, dbgen.GetEnvironmentParams{AccountID: accountID, ID: *q.EnvironmentID})
		if err != nil {
			return postgres.Classify(err)
		}
		contradictions.add("environment_name", q.Environment != "" && named.EnvironmentID != row.ID)
		q.Environment = row.Name
	}
	if q.VersionID != nil {
		row, err := db.GetVersion(ctx, dbgen.GetVersionParams{AccountID: accountID, ID: *q.VersionID})
		if err != nil {
			return postgres.Classify(err)
		}
		contradictions.add("version", q.Version != "" && q.Version != row.Version)
		contradictions.add("version_id", q.Product != "" && named.ProductID != row.ProductID)
		q.Version, q.Product = row.Version, row.ProductName
	}
	if len(contradictions) > 0 {
		return apperr.NewInvalid(contradictions...)
	}
	return nil
}

// contradictions are the members of a question that name something else than its identifiers.
type contradictions []apperr.Field

func (c *contradictions) add(member string, isContradiction bool) {
	if isContradiction {
		*c = append(*c, apperr.Field{Loc: []any{"body", member}, Msg: "contradicts another member of the body", Type: "value_error.contradiction"})
	}
}

// current returns the rules of an account as the database has them.
func (c *Cache) current(ctx context.Context, tx *postgres.BatchTx, accountID uuid.UUID, now time.Time) (*ingest.Rules, error) {
	generation := c.Generation()
	rules, _ := c.Rules(accountID, now)
	var revision int64
	batch := &pgx.Batch{}
	postgres.QueueRows(batch, dbgen.ListGovernanceRevisions, struct{ Accounts []uuid.UUID }{[]uuid.UUID{accountID}},
		func(row dbgen.ListGovernanceRevisionsRow) { revision = row.Revision })
	if err := tx.Send(ctx, batch); err != nil {
		return nil, postgres.Classify(err)
	}
	switch {
	case rules != nil && rules.Revision == revision:
		return rules, nil
	case revision == 0:
		return &ingest.Rules{CompiledAt: now}, nil
	}
	loaded, err := c.LoadRules(ctx, tx, map[uuid.UUID]int64{accountID: revision}, now)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	c.Put(generation, loaded)
	return loaded[accountID], nil
}

// loadFacts reads the facts of a start. What does not exist has no identifier, and a warning.
func loadFacts(ctx context.Context, tx *postgres.BatchTx, rules *ingest.Rules, start ingest.Start, now time.Time) (policy.Facts, []Warning, error) {
	loaded := newFacts(map[uuid.UUID]*ingest.Rules{start.AccountID: rules}, []ingest.Start{start})
	batch := &pgx.Batch{}
	loaded.queue(batch, true)
	postgres.QueueRows(batch, dbgen.ListGrants, dbgen.ListGrantsParams{
		AccountIDs: []uuid.UUID{start.AccountID}, ProductNames: []string{start.Product}, EnvironmentNames: []string{start.Environment}, Now: now,
	}, loaded.addGrant)
	versionID := uuid.Nil
	postgres.QueueRows(batch, dbgen.LoadVersions, dbgen.LoadVersionsParams{
		AccountIDs: []uuid.UUID{start.AccountID}, ProductNames: []string{start.Product}, Versions: []string{start.Version},
	}, func(row dbgen.LoadVersionsRow) { versionID = row.ID })
	if err := tx.Send(ctx, batch); err != nil {
		return policy.Facts{}, nil, postgres.Classify(err)
	}
	known := loaded.Facts(start)
	known.Version.ID = versionID
	for _, slot := range loaded.Slots(start.AccountID) {
		if !slot.IsEnded {
			known.Slots = append(known.Slots, slot.Slot)
		}
	}
	var warnings []Warning
	if known.Product.ID == uuid.Nil {
		known.Product = policy.Ref{Names: []string{start.Product}}
		warnings = append(warnings, Warning{UnknownProduct, "The product does not exist yet: an event creates it."})
	}
	if known.Environment.ID == uuid.Nil {
		known.Environment = policy.Ref{Names: []string{start.Environment}, Type: string(ingest.InferEnvironmentType(start.Environment))}
		warnings = append(warnings, Warning{UnknownEnvironment, "The environment does not exist yet: an event creates it."})
	}
	if versionID == uuid.Nil {
		warnings = append(warnings, Warning{UnknownVersion, "The version does not exist yet: an event creates it."})
	}
	return known, warnings, nil
}

// answer evaluates the rules on facts.
func answer(rules *ingest.Rules, at time.Time, known policy.Facts, warnings []Warning) Answer {
	a := Answer{WouldAllow: true, EvaluatedAt: at, Warnings: warnings, NextAllowedAt: &at, Certain: true, EarliestAfterApprovals: &at}
	if rules.IsEmpty() {
		return a
	}
	verdict := rules.Set.Evaluate(at, policy.Attempt{}, known)
	next := rules.Set.NextAllowed(at, policy.Attempt{}, known)
	a.WouldAllow, a.Violations, a.Reports = verdict.Allowed(), verdict.Violations, verdict.Reports
	a.NextAllowedAt, a.Certain, a.BindingRule = next.AllowedAt, next.Certain, next.Binding
	a.EarliestAfterApprovals, a.NextBlockAt = next.EarliestAfterApprovals, next.BlockAt
	if verdict.GrantID != uuid.Nil {
		a.UsableGrantID = &verdict.GrantID
	}
	for _, violation := range verdict.Violations {
		for _, approvalType := range violation.Missing {
			a.MissingApprovals = append(a.MissingApprovals, MissingApproval{
				Type: approvalType, Roles: policy.ApproverRoles(violation.RuleType, []policy.ApprovalType{approvalType}),
				RuleID: nonNil(violation.RuleID), DeploymentRequestID: nonNil(violation.DeploymentRequestID),
			})
		}
	}
	if next.BlockAt != nil && len(verdict.Violations) == 0 && next.BlockAt.Sub(at) <= closesSoon {
		a.Warnings = append(a.Warnings, Warning{WindowClosesSoon, "From " + next.BlockAt.UTC().Format(time.RFC3339) + " on, a rule blocks."})
	}
	if next.IsEndless {
		a.Warnings = append(a.Warnings, Warning{NeverAllowed, "The schedules block for as long as they are known: 400 days."})
	}
	return a
}

// nonNil returns nil for the zero identifier.
func nonNil(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
