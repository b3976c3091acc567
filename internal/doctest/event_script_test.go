package doctest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

const rulesPath = "/deployment-rules/"

// result is what a command of a CI system has printed and its exit status.
type result struct {
	stdout, stderr string
	exit           int
}

// event runs versioner-event.sh with a shell.
func (c *checkout) event(t *testing.T, shell, action string, env ...string) result {
	t.Helper()
	var stdout, stderr strings.Builder
	words := strings.Fields(shell + " ci/versioner-event.sh " + action)
	command := exec.CommandContext(t.Context(), words[0], words[1:]...)
	command.Dir, command.Env, command.Stdout, command.Stderr = c.dir, slices.Concat(c.env, env), &stdout, &stderr
	_ = command.Run()
	return result{stdout: stdout.String(), stderr: stderr.String(), exit: command.ProcessState.ExitCode()}
}

// shells returns the shells on the machine.
func shells(t *testing.T) (found []string) {
	t.Helper()
	for _, shell := range []string{"sh", "bash", "dash", "busybox sh", "zsh"} {
		if _, err := exec.LookPath(strings.Fields(shell)[0]); err != nil {
			t.Logf("no %s on this machine", shell)
			continue
		}
		found = append(found, shell)
	}
	return found
}

// rule creates a rule about production and waits until starts are evaluated by it.
func rule(t *testing.T, api *testapi.API, name, ruleType, more string) {
	t.Helper()
	body, err := json.Marshal(name)
	require.NoError(t, err)
	created := api.As(t, "admin", http.MethodPost, rulesPath, fmt.Sprintf(`{"name":%s,"rule_type":%q,"scope":{"environments":["production"]},%s}`, body, ruleType, more))
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	awaitRules(t, api)
}

// awaitRules waits until the server evaluates the rules of the account: it may have cached that there are none.
func awaitRules(t *testing.T, api *testapi.API) {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(poll) {
		probe := api.Post(t, deploy, fmt.Sprintf(`{"product_name":"probe","version":"%d","environment_name":"production","status":"started"}`, time.Now().UnixNano()))
		if probe.Status != http.StatusOK || strings.Contains(string(probe.Body), `"preflight_status":{`) {
			return
		}
		require.Less(t, time.Now(), deadline, "no rule is evaluated")
	}
}

// freeze is the schedule of a rule that denies deployments for two hours from an hour ago on, in a window with a reason.
func freeze(reason string) string {
	const local = "2006-01-02T15:04"
	now := time.Now().UTC()
	return fmt.Sprintf(`"schedule":{"timezone":"UTC","windows":[{"name":"Christmas","effect":"deny","start":%q,"end":%q,"reason":%q}]}`,
		now.Add(-time.Hour).Format(local), now.Add(time.Hour).Format(local), reason)
}

const product = "VERSIONER_PRODUCT=checkout"

// TestEventScriptDetailedExit compares the script with its table of exit statuses, for events and for preflight.
func TestEventScriptDetailedExit(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	preflightKey := newPreflightKey(t, api)
	answering := func(status int) string {
		return serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	strange := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`<html>"would_allow":maybe</html>`))
	})
	long := "VERSIONER_VERSION=" + strings.Repeat("v", 256)
	type testCase struct {
		url, key, action string
		env              []string
		exit             int
	}
	cases := map[string]testCase{
		"Recorded":               {api.URL, api.Key, "started", nil, 0},
		"BadStatus":              {api.URL, api.Key, "shipped", nil, 3},
		"BadVersion":             {api.URL, api.Key, "started", []string{long}, 3},
		"NotFound":               {answering(http.StatusNotFound), api.Key, "started", nil, 3},
		"UnknownKey":             {api.URL, "sk_acme_k1_x", "started", nil, 4},
		"KeyOfAnotherScope":      {api.URL, preflightKey, "started", nil, 4},
		"NotListening":           {"http://" + freeAddress(t), api.Key, "started", nil, 1},
		"NotImplemented":         {answering(http.StatusNotImplemented), api.Key, "started", nil, 1},
		"Conflict":               {answering(http.StatusConflict), api.Key, "started", nil, 5},
		"Locked":                 {answering(http.StatusLocked), api.Key, "started", nil, 5},
		"PreconditionRequired":   {answering(http.StatusPreconditionRequired), api.Key, "started", nil, 5},
		"Ignored":                {api.URL, "sk_acme_k1_x", "started", []string{"VERSIONER_FAIL_ON_API_ERROR=false"}, 0},
		"NoStatus":               {api.URL, api.Key, "", nil, 2},
		"NoProduct":              {api.URL, api.Key, "started", []string{"VERSIONER_PRODUCT="}, 2},
		"NoKey":                  {api.URL, "", "started", nil, 2},
		"PreflightAllows":        {api.URL, preflightKey, "preflight", nil, 0},
		"PreflightHasItsKey":     {api.URL, api.Key, "preflight", []string{"VERSIONER_PREFLIGHT_KEY=" + preflightKey}, 0},
		"PreflightNeedsItsScope": {api.URL, api.Key, "preflight", nil, 4},
		"PreflightOfBadVersion":  {api.URL, preflightKey, "preflight", []string{long}, 3},
		"PreflightOfNoAnswer":    {"http://" + freeAddress(t), preflightKey, "preflight", nil, 1},
		"PreflightIgnored":       {api.URL, "sk_acme_k1_x", "preflight", []string{"VERSIONER_FAIL_ON_API_ERROR=false"}, 0},
		"PreflightOfStrangeJSON": {strange, preflightKey, "preflight", nil, 1},
	}
	t.Run("Cases", func(t *testing.T) {
		t.Parallel()
		for name, test := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := newCheckout(t, test.url, test.key, product, "VERSIONER_VERSION=1", "VERSIONER_ENVIRONMENT=e")
				for _, shell := range shells(t) {
					detailed := c.event(t, shell, test.action, append(test.env, "VERSIONER_DETAILED_EXIT=true")...)
					require.Equal(t, test.exit, detailed.exit, "%s: %v", shell, detailed)
					switch {
					case test.exit == 1:
						return // curl has repeated the request for some seconds
					case test.exit == 3 && test.action != "preflight", test.exit == 4 && test.action != "preflight":
						require.Equal(t, 1, c.event(t, shell, test.action, test.env...).exit, shell)
					default:
						require.Equal(t, test.exit, c.event(t, shell, test.action, test.env...).exit, shell)
					}
				}
			})
		}
	})
	t.Run("PreflightRecordsNothing", func(t *testing.T) {
		t.Parallel()
		c := newCheckout(t, api.URL, preflightKey, "VERSIONER_PRODUCT=unrecorded", "VERSIONER_VERSION=1", "VERSIONER_ENVIRONMENT=e")
		require.Equal(t, 0, c.event(t, "sh", "preflight").exit)
		var products int
		api.Scan(t, "SELECT count(*) FROM products WHERE name = 'unrecorded'", &products)
		require.Zero(t, products)
	})
}

// TestEventScriptReportsRejections runs the script against rules: it prints why a deployment is rejected and when it may start.
func TestEventScriptReportsRejections(t *testing.T) {
	t.Parallel()
	const name = `Holiday "freeze" \ <all> & more`
	api := testapi.New(t)
	created := api.As(t, "admin", http.MethodPost, "/api-keys/", `{"name":"ci","scopes":["events","preflight"]}`)
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	rule(t, api, name, "schedule", freeze(`Peak "season" \ <sale> & more`))
	rule(t, api, "Test first", "flow", `"flow":{"prerequisites":["test"]}`)
	rule(t, api, "Staging first", "flow", `"mode":"report_only","flow":{"prerequisites":["staging"]}`)
	c := newCheckout(t, api.URL, created.Field(t, "key").(string), product, "VERSIONER_VERSION=1", "VERSIONER_ENVIRONMENT=production")
	for _, shell := range shells(t) {
		rejected := c.event(t, shell, "started")
		require.Equal(t, 5, rejected.exit, shell)
		require.Contains(t, rejected.stdout, "HTTP status 428\n")
		lines := strings.Split(rejected.stderr, "\n")
		require.Equal(t, []string{"Versioner rejected this deployment.", "Code: FLOW_VIOLATION", "Rule: Test first"}, lines[:3], shell)
		require.Regexp(t, `^Message: .*Test first.*Holiday "freeze" \\ <all> & more`, lines[3], shell)
		require.True(t, json.Valid([]byte(lines[4])), "the answer: %s", lines[4])

		asked := c.event(t, shell, "preflight")
		require.Equal(t, 5, asked.exit, "%s: %v", shell, asked)
		lines = strings.Split(asked.stderr, "\n")
		require.Equal(t, "A deployment rule would reject this deployment.", lines[0])
		require.Regexp(t, `^FLOW_VIOLATION: Test first: .`, lines[1], shell)
		require.Regexp(t, `^NO_DEPLOY_WINDOW: Holiday "freeze" \\ <all> & more: .*Peak "season" \\ <sale> & more`, lines[2], shell)
		require.True(t, json.Valid([]byte(lines[3])), "waiting does not suffice: %s", lines[3])
	}

	api.PostEvent(t, deploy, map[string]any{"product_name": "checkout", "version": "1", "environment_name": "test", "status": "completed"})
	for _, shell := range shells(t) {
		rejected := c.event(t, shell, "started")
		require.Equal(t, 5, rejected.exit, shell)
		require.Contains(t, rejected.stdout, "HTTP status 423\n")
		require.Contains(t, rejected.stderr, "Code: NO_DEPLOY_WINDOW\nRule: "+name+"\n", shell)
		require.Regexp(t, `\nRetry after: 20\d\d-\d\d-\d\dT\d\d:\d\d:00Z\n`, rejected.stderr, shell)
		asked := c.event(t, shell, "preflight")
		require.Equal(t, 5, asked.exit, shell)
		require.Regexp(t, `\nRetry after: 20\d\d-\d\d-\d\dT\d\d:\d\d:00(\.0+)?Z\n`, asked.stderr, shell)
		require.NotContains(t, asked.stderr, "FLOW_VIOLATION: Staging first", "it only reports")
	}

	other := []string{"VERSIONER_ENVIRONMENT=test"}
	for _, shell := range shells(t) {
		asked := c.event(t, shell, "preflight", other...)
		require.Equal(t, 0, asked.exit, shell)
		require.Contains(t, asked.stdout, "The deployment may start.\n")
	}
	for _, found := range items(t, api.URL+rulesPath, api.Token(t, testapi.Account, "admin")) {
		if found["mode"] == "enabled" {
			require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, rulesPath+found["id"].(string), "").Status)
		}
	}
	for _, shell := range shells(t) {
		asked := c.event(t, shell, "preflight")
		require.Equal(t, 0, asked.exit, shell)
		require.Regexp(t, `\nReported only: FLOW_VIOLATION: Staging first: .*\nThe deployment may start\.\n`, asked.stdout, shell)
		require.Empty(t, asked.stderr)
	}
}
