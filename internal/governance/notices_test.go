package governance

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/policy"
)

func TestIsWeaker(t *testing.T) {
	t.Parallel()
	const (
		window       = `{"name":"w","effect":"deny","start":"2026-12-18T18:00","end":"2027-01-04T06:00","rrule":null,"exdates":[],"reason":null}`
		weekend      = `{"name":"weekend","effect":"deny","start":"2026-12-19T00:00","end":"2026-12-21T00:00","rrule":"FREQ=WEEKLY","exdates":[],"reason":null}`
		allowing     = `{"name":"a","effect":"allow","start":"2026-12-18T08:00","end":"2026-12-18T17:00","rrule":"FREQ=DAILY","exdates":[],"reason":null}`
		allowingMore = `{"name":"b","effect":"allow","start":"2026-12-18T18:00","end":"2026-12-18T19:00","rrule":"FREQ=DAILY","exdates":[],"reason":null}`
	)
	schedule := func(windows string) string {
		return `{"name":"r","rule_type":"schedule","rollback":"enforce","schedule":{"timezone":"UTC","windows":[` + windows + `]}}`
	}
	flow := func(members string) string {
		return `{"name":"r","rule_type":"flow","flow":{` + members + `}}`
	}
	concurrency := func(members string) string {
		return `{"name":"r","rule_type":"concurrency","concurrency":{` + members + `}}`
	}
	approval := func(types string) string {
		return `{"name":"r","rule_type":"version_approval_required","version_approval_required":{"required_approvals":[` + types + `]}}`
	}
	request := func(members string) string {
		return `{"name":"r","rule_type":"deployment_request_required","deployment_request_required":{` + members + `}}`
	}
	timed := func(hours string) string {
		return `{"name":"r","rule_type":"version_approval_required","version_approval_required":{"required_approvals":["qa"],"approval_timeout_hours":` + hours + `}}`
	}
	scoped := func(products string) string {
		return `{"name":"r","rule_type":"schedule","scope":{"products":[` + products + `]},"schedule":{"timezone":"UTC","windows":[` + window + `]}}`
	}
	for name, c := range map[string]struct {
		before, after string
		want          bool
	}{
		"TheSame":               {schedule(window), schedule(window), false},
		"Deleted":               {schedule(window), "", true},
		"Renamed":               {schedule(window), `{"name":"s",` + schedule(window)[len(`{"name":"r",`):], false},
		"Disabled":              {schedule(window), `{"mode":"disabled",` + schedule(window)[1:], true},
		"WasNotEnabled":         {`{"mode":"report_only",` + schedule(window)[1:], "", false},
		"Enabled":               {`{"mode":"disabled",` + schedule(window)[1:], schedule(window), false},
		"PassesRollbacks":       {schedule(window), `{"name":"r","rule_type":"schedule","rollback":"allow","schedule":{"timezone":"UTC","windows":[` + window + `]}}`, true},
		"WindowMore":            {schedule(window), schedule(window + "," + weekend), false},
		"WindowLess":            {schedule(window + "," + weekend), schedule(weekend), true},
		"FirstToAllow":          {schedule(window), schedule(window + "," + allowing), false},
		"AllowsMore":            {schedule(allowing), schedule(allowing + "," + allowingMore), true},
		"AllowsLess":            {schedule(allowing + "," + allowingMore), schedule(allowing), false},
		"AllowsAll":             {schedule(allowing), schedule(window), true},
		"ForOneProduct":         {scoped(""), scoped(`"shop"`), true},
		"ForOneProductMore":     {scoped(`"shop"`), scoped(`"shop","search"`), false},
		"ForAnotherProduct":     {scoped(`"shop"`), scoped(`"search"`), true},
		"ForAllProducts":        {scoped(`"shop"`), scoped(""), false},
		"SoakLess":              {flow(`"prerequisites":["a"],"min_soak_minutes":10`), flow(`"prerequisites":["a"],"min_soak_minutes":9`), true},
		"PrerequisiteMore":      {flow(`"prerequisites":["a"]`), flow(`"prerequisites":["a","b"]`), false},
		"PrerequisiteLess":      {flow(`"prerequisites":["a","b"]`), flow(`"prerequisites":["b"]`), true},
		"OrderNotStrict":        {flow(`"prerequisites":["a","b"],"strict_order":true`), flow(`"prerequisites":["a","b"],"strict_order":false`), true},
		"DeploymentsMore":       {concurrency(`"max_in_progress":1`), concurrency(`"max_in_progress":2`), true},
		"DeploymentsLess":       {concurrency(`"max_in_progress":2`), concurrency(`"max_in_progress":1`), false},
		"ApprovalLess":          {approval(`"qa","security"`), approval(`"security"`), true},
		"ApprovalLonger":        {timed("24"), timed("null"), true},
		"ApprovalShorter":       {timed("24"), timed("23"), false},
		"SoakElsewhere":         {flow(`"prerequisites":["a"],"min_soak_minutes":10`), flow(`"prerequisites":["a","b"],"min_soak_minutes":10`), true},
		"ApprovalMoreByAnAlias": {approval(`"qa_engineer"`), approval(`"qa","security"`), false},
		"SlotLess":              {request(`"required_approvals":["qa","security"]`), request(`"required_approvals":["security"]`), true},
		"SlotMore":              {request(`"required_approvals":["qa"]`), request(`"required_approvals":["security","qa"]`), false},
		"SlotLonger":            {request(`"approval_timeout_hours":24`), request(`"approval_timeout_hours":25`), true},
		"SlotUnlimited":         {request(`"approval_timeout_hours":24`), request(`"approval_timeout_hours":null`), true},
		"SlotShorter":           {request(`"approval_timeout_hours":null`), request(`"approval_timeout_hours":24`), false},
		"PreStepsOptional":      {request(`"require_pre_steps":true`), request(`"require_pre_steps":false`), true},
		"PreStepsRequired":      {request(`"require_pre_steps":false`), request(`"require_pre_steps":true`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after := parseRule(t, c.before), (*policy.Rule)(nil)
			if c.after != "" {
				after = new(parseRule(t, c.after))
			}
			require.Equal(t, c.want, isWeaker(before, after))
		})
	}
}

func parseRule(t *testing.T, text string) (rule policy.Rule) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &rule))
	rule.Normalize()
	require.Empty(t, rule.Validate())
	return rule
}
