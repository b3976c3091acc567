package governance

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/calendar"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// Limits of a backtest.
const (
	maxBacktestStarts   = 50_000
	maxBacktestRequests = 50_000
	maxBacktestItems    = 200
	backtestTime        = 8 * time.Second
	// priorHistory is how long before the first start the facts are rebuilt from: what ran before is unknown.
	priorHistory = 400 * 24 * time.Hour
)

// Backtest is what a rule would have done.
type Backtest struct {
	From, To                       time.Time
	Evaluated, WouldBlock, Unknown int
	IsTruncated                    bool
	ByProduct, ByEnvironment       []BacktestCount
	Items                          []BacktestItem // the newest first
}

// BacktestCount is the starts of one product or environment.
type BacktestCount struct {
	ID                    uuid.UUID
	Name                  string
	Evaluated, WouldBlock int
}

// BacktestItem is a start that the rule would have blocked.
type BacktestItem struct {
	DeploymentID                  uuid.UUID
	Product, Version, Environment string
	At                            time.Time
	Status                        string
	Code                          policy.Code
	Message                       string
}

// RunBacktest evaluates a rule for the starts of a number of days until now. The error is RateLimited while another backtest of the account
// runs, on this server or another one.
func RunBacktest(ctx context.Context, db *postgres.DB, rule Rule, days int, now time.Time) (result Backtest, err error) {
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		isLocked, err := db.TryLockBacktest(ctx, rule.AccountID)
		if err != nil {
			return postgres.Classify(err)
		}
		if !isLocked {
			return apperr.NewRateLimited(time.Second)
		}
		result, err = runBacktest(ctx, db, rule, now.Add(-time.Duration(days)*24*time.Hour), now)
		return err
	})
	return result, err
}

func runBacktest(ctx context.Context, db *postgres.DB, rule Rule, from, now time.Time) (Backtest, error) {
	deadline := time.Now().Add(backtestTime)
	history, first, isTruncated, err := loadHistory(ctx, db, rule.AccountID, from, now)
	if err != nil {
		return Backtest{}, err
	}
	if isTruncated {
		from = first
	}
	if rule.Type == policy.DeploymentRequestRule {
		if err := history.loadRequests(ctx, db, rule.AccountID, slices.Collect(maps.Keys(history.Versions))); err != nil {
			return Backtest{}, err
		}
		history.ignoreGates()
	}
	unknownBefore, err := firstFactOf(ctx, db, rule, now)
	if err != nil {
		return Backtest{}, err
	}
	rule.Mode = policy.Enabled
	set, err := calendar.Compile([]policy.Rule{rule.Rule}, from)
	if err != nil {
		return Backtest{}, err
	}
	result := evaluateHistory(history, set, from, unknownBefore, func() bool { return time.Now().After(deadline) })
	result.From, result.To, result.IsTruncated = from, now, result.IsTruncated || isTruncated
	return result, nil
}

// firstFactOf returns until when it is unknown what a rule would have found: before the first approval or deployment request was recorded.
func firstFactOf(ctx context.Context, db *postgres.DB, rule Rule, now time.Time) (first time.Time, err error) {
	switch rule.Type {
	case policy.VersionApprovalRule:
		first, err = db.GetFirstApprovalTime(ctx, rule.AccountID)
	case policy.DeploymentRequestRule:
		first, err = db.GetFirstRequestTime(ctx, rule.AccountID)
	case policy.ScheduleRule, policy.FlowRule, policy.ConcurrencyRule:
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return now, nil
	}
	return first, postgres.Classify(err)
}

// evaluateHistory evaluates the one rule of the set at each start that it applies to, until isOver.
func evaluateHistory(history *History, set *policy.Set, from, unknownBefore time.Time, isOver func() bool) Backtest {
	var result Backtest
	products, environments := make(map[uuid.UUID]*BacktestCount), make(map[uuid.UUID]*BacktestCount)
	count := func(counts map[uuid.UUID]*BacktestCount, ref policy.Ref, isBlocked bool) {
		if counts[ref.ID] == nil {
			counts[ref.ID] = &BacktestCount{ID: ref.ID, Name: ref.Names[0]}
		}
		counts[ref.ID].Evaluated++
		if isBlocked {
			counts[ref.ID].WouldBlock++
		}
	}
	replayStarts(history, from, func(entry *HistoryEntry, facts policy.Facts) bool {
		if isOver() {
			result.IsTruncated = true
			return false
		}
		verdict := set.Evaluate(entry.StartedAt, policy.Attempt{DeploymentID: entry.ID, InvokeID: entry.InvokeID, Attempt: entry.Attempt}, facts)
		if len(verdict.Evaluations) == 0 {
			return true // it does not apply
		}
		if entry.StartedAt.Before(unknownBefore) || !history.hasRequests(entry.VersionID) {
			result.Unknown++
			return true
		}
		isBlocked := len(verdict.Violations) > 0
		result.Evaluated++
		count(products, facts.Product, isBlocked)
		count(environments, facts.Environment, isBlocked)
		if isBlocked {
			result.WouldBlock++
			result.Items = append(result.Items, BacktestItem{
				DeploymentID: entry.ID, Product: facts.Product.Names[0], Version: facts.Version.Name, Environment: facts.Environment.Names[0], At: entry.StartedAt,
				Status: entry.Status, Code: verdict.Violations[0].Code, Message: verdict.Violations[0].Message,
			})
		}
		return true
	})
	slices.Reverse(result.Items)
	result.Items = result.Items[:min(len(result.Items), maxBacktestItems)]
	result.ByProduct, result.ByEnvironment = sortedCounts(products), sortedCounts(environments)
	return result
}

// sortedCounts returns the most blocked ones first.
func sortedCounts(counts map[uuid.UUID]*BacktestCount) []BacktestCount {
	sorted := make([]BacktestCount, 0, len(counts))
	for count := range maps.Values(counts) {
		sorted = append(sorted, *count)
	}
	slices.SortFunc(sorted, func(a, b BacktestCount) int {
		return cmp.Or(cmp.Compare(b.WouldBlock, a.WouldBlock), cmp.Compare(b.Evaluated, a.Evaluated), cmp.Compare(a.Name, b.Name))
	})
	return sorted
}

// loadHistory reads the newest starts from a time on, and before them the deployments that their facts are rebuilt from. first is the
// time of the first start that is evaluated if there are more than the limit.
func loadHistory(ctx context.Context, db *postgres.DB, accountID uuid.UUID, from, until time.Time) (history *History, first time.Time, isTruncated bool, err error) {
	rows, err := db.ListDeploymentHistory(ctx, dbgen.ListDeploymentHistoryParams{AccountID: accountID, Since: from, Until: until, RowLimit: maxBacktestStarts + 1})
	if err != nil {
		return nil, first, false, postgres.Classify(err)
	}
	if isTruncated = len(rows) > maxBacktestStarts; isTruncated {
		rows = rows[:maxBacktestStarts]
		first = rows[len(rows)-1].OccurredAt
		from = first
	}
	earlier, err := db.ListDeploymentHistory(ctx, dbgen.ListDeploymentHistoryParams{AccountID: accountID, Since: from.Add(-priorHistory), Until: from, RowLimit: maxBacktestStarts})
	if err != nil {
		return nil, first, false, postgres.Classify(err)
	}
	history = &History{}
	err = history.load(ctx, db, accountID, append(rows, earlier...))
	return history, first, isTruncated, err
}

// load reads the names of what the rows refer to, and the approvals of their versions. Rows of deleted products and environments are left out.
func (h *History) load(ctx context.Context, db *postgres.DB, accountID uuid.UUID, rows []dbgen.ListDeploymentHistoryRow) error {
	products, versions := make(map[uuid.UUID]bool), make(map[uuid.UUID]bool)
	for _, row := range rows {
		products[row.ProductID], versions[row.VersionID] = true, true
	}
	productIDs, versionIDs := slices.Collect(maps.Keys(products)), slices.Collect(maps.Keys(versions))
	if err := h.loadNames(ctx, db, accountID, productIDs, versionIDs); err != nil {
		return err
	}
	approvals, err := db.ListApprovalHistory(ctx, dbgen.ListApprovalHistoryParams{AccountID: accountID, IDs: versionIDs})
	if err != nil {
		return postgres.Classify(err)
	}
	h.Approvals = make(map[uuid.UUID][]PastApproval)
	for _, row := range approvals {
		h.Approvals[row.VersionID] = append(h.Approvals[row.VersionID], PastApproval{
			Approval: policy.Approval{
				Type: policy.ApprovalType(row.ApprovalType), Decision: policy.Decision(row.Decision), EnvironmentID: row.EnvironmentID, GivenAt: row.CreatedAt,
			},
			RevokedAt: row.RevokedAt,
		})
	}
	for _, row := range rows {
		_, hasProduct := h.Products[row.ProductID]
		_, hasEnvironment := h.Environments[row.EnvironmentID]
		if !hasProduct || !hasEnvironment {
			continue
		}
		h.Entries = append(h.Entries, HistoryEntry{
			ID: row.ID, ProductID: row.ProductID, EnvironmentID: row.EnvironmentID, VersionID: row.VersionID, Status: row.Status, InvokeID: ptr.OrZero(row.InvokeID),
			Attempt: ptr.OrZero(row.Attempt), Holder: ptr.OrZero(row.DeployedBy), StartedAt: ptr.Or(row.StartedAt, row.OccurredAt), CompletedAt: row.CompletedAt, LastEventAt: row.LastEventAt,
		})
	}
	return nil
}

func (h *History) loadNames(ctx context.Context, db *postgres.DB, accountID uuid.UUID, productIDs, versionIDs []uuid.UUID) error {
	products, err := db.ListNamedProducts(ctx, dbgen.ListNamedProductsParams{AccountID: accountID, IDs: productIDs})
	if err != nil {
		return postgres.Classify(err)
	}
	h.Products = make(map[uuid.UUID]policy.Ref)
	for _, row := range products {
		h.Products[row.ID] = policy.Ref{ID: row.ID, Names: []string{row.Name}}
	}
	productNames, err := db.ListProductNames(ctx, dbgen.ListProductNamesParams{AccountID: accountID, IDs: productIDs})
	if err != nil {
		return postgres.Classify(err)
	}
	for _, row := range productNames {
		addName(h.Products, row.ProductID, row.Name)
	}
	environments, err := db.ListNamedEnvironments(ctx, accountID)
	if err != nil {
		return postgres.Classify(err)
	}
	h.Environments = make(map[uuid.UUID]policy.Ref)
	for _, row := range environments {
		h.Environments[row.ID] = policy.Ref{ID: row.ID, Names: []string{row.Name}, Type: row.Type}
	}
	environmentNames, err := db.ListEnvironmentNames(ctx, dbgen.ListEnvironmentNamesParams{AccountID: accountID, IDs: slices.Collect(maps.Keys(h.Environments))})
	if err != nil {
		return postgres.Classify(err)
	}
	for _, row := range environmentNames {
		addName(h.Environments, row.EnvironmentID, row.Name)
	}
	versions, err := db.ListNamedVersions(ctx, dbgen.ListNamedVersionsParams{AccountID: accountID, IDs: versionIDs})
	if err != nil {
		return postgres.Classify(err)
	}
	h.Versions = make(map[uuid.UUID]string)
	for _, row := range versions {
		h.Versions[row.ID] = row.Version
	}
	return nil
}

// addName adds a former name of a product or environment that is not deleted.
func addName(refs map[uuid.UUID]policy.Ref, id uuid.UUID, name string) {
	ref, isKnown := refs[id]
	if isKnown && !slices.Contains(ref.Names, name) {
		ref.Names = append(ref.Names, name)
		refs[id] = ref
	}
}
