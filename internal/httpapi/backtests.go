package httpapi

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// defaultBacktestDays is how many days a backtest evaluates by default.
const defaultBacktestDays = 30

func (h deploymentRuleHandlers) BacktestDeploymentRule(ctx context.Context, req apigen.BacktestDeploymentRuleRequestObject) (apigen.BacktestDeploymentRuleResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	db := h.db.Tenant(account)
	row, err := db.GetDeploymentRule(ctx, dbgen.GetDeploymentRuleParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	rule, err := governance.RuleOf(row)
	if err != nil {
		return nil, err
	}
	result, err := governance.RunBacktest(ctx, db, rule, ptr.Or(req.Body.Days, defaultBacktestDays), time.Now())
	if err != nil {
		return nil, err
	}
	return apigen.BacktestDeploymentRule200JSONResponse(toAPIBacktest(result)), nil
}

func toAPIBacktest(result governance.Backtest) apigen.Backtest {
	items := make([]apigen.BacktestItem, len(result.Items))
	for i, item := range result.Items {
		items[i] = apigen.BacktestItem{
			DeploymentID: item.DeploymentID, Product: item.Product, Version: item.Version, Environment: item.Environment, At: item.At.UTC(),
			Status: apigen.Status(item.Status), Code: apigen.PolicyCode(item.Code), Message: item.Message,
		}
	}
	return apigen.Backtest{
		From: result.From.UTC(), To: result.To.UTC(), Evaluated: result.Evaluated, WouldBlock: result.WouldBlock, Unknown: result.Unknown,
		Truncated: result.IsTruncated, ByProduct: toAPIBacktestCounts(result.ByProduct), ByEnvironment: toAPIBacktestCounts(result.ByEnvironment), Items: items,
	}
}

func toAPIBacktestCounts(counts []governance.BacktestCount) []apigen.BacktestCount {
	converted := make([]apigen.BacktestCount, len(counts))
	for i, count := range counts {
		converted[i] = apigen.BacktestCount{ID: count.ID, Name: count.Name, Evaluated: count.Evaluated, WouldBlock: count.WouldBlock}
	}
	return converted
}
