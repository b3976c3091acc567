package doctest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// The published command-line client and GitHub Action are programs of their own. What follows stands in for them: it sends what they send,
// reads the members of an answer that they read, and prints and exits as they do. `make test-published-clients` runs the programs instead.

// beClient is a variable that makes the program of the tests the command-line client.
const beClient = "DOCTEST_BE_CLIENT"

// Variables with the paths of the published programs.
const (
	publishedClient = "VERSIONER_TEST_PUBLISHED_CLI"
	publishedAction = "VERSIONER_TEST_PUBLISHED_ACTION"
)

// Exit statuses of the command-line client.
const (
	clientFailed   = 1 // of `track deployment` without a connection, or of invalid arguments
	buildFailed    = 2 // of `track build` for any other reason
	clientAPIError = 4
	clientRejected = 5
)

// installClient returns a directory with the command-line client, versioner.
func installClient(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "versioner")
	if published := os.Getenv(publishedClient); published != "" {
		require.FileExists(t, published)
		require.NoError(t, os.Symlink(published, path))
		return dir
	}
	program, err := os.Executable()
	require.NoError(t, err)
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", beClient, program)
	require.NoError(t, os.WriteFile(path, []byte(script), 0o755))
	return dir
}

// runClient carries out `track deployment` and `track build`.
func runClient(args []string, stdout, stderr io.Writer) (exit int) {
	if len(args) < 2 || args[0] != "track" || args[1] != "deployment" && args[1] != "build" {
		fmt.Fprintln(stderr, "unknown command")
		return clientFailed
	}
	operation, isBuild := args[1], args[1] == "build"
	event := map[string]any{"source_system": "unknown"} // as outside of CI
	flags := flag.NewFlagSet(operation, flag.ContinueOnError)
	flags.SetOutput(stderr)
	for name, member := range map[string]string{
		"product": "product_name", "environment": "environment_name", "version": "version", "status": "status", "scm-sha": "scm_sha", "invoke-id": "invoke_id",
	} {
		flags.Func(name, member, func(text string) error {
			if text != "" { // empty ones are omitted
				event[member] = text
			}
			return nil
		})
	}
	flags.BoolFunc("skip-preflight-checks", "", func(string) error { event["skip_preflight_checks"] = true; return nil })
	fails := flags.Bool("fail-on-api-error", true, "")
	if err := flags.Parse(args[2:]); err != nil {
		return clientFailed
	}
	if event["product_name"] == nil || event["version"] == nil || !isBuild && event["environment_name"] == nil {
		return clientFailed
	}
	unavailable, apiError := clientFailed, clientAPIError
	if isBuild {
		unavailable, apiError = buildFailed, buildFailed
	}
	status, body, err := sendAs(os.Getenv("VERSIONER_API_URL")+"/"+operation+"-events/", os.Getenv("VERSIONER_API_KEY"), event)
	var answer struct {
		ID     string
		Detail any
	}
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "Error:", err)
		return unavailable
	case status == http.StatusTooManyRequests, status >= http.StatusInternalServerError: // after four attempts
		fmt.Fprintln(stderr, "Error: HTTP", status)
		return unavailable
	case json.Unmarshal(body, &answer) != nil:
		return unavailable
	case status/100 == 2:
	case slices.Contains([]int{http.StatusConflict, http.StatusLocked, http.StatusPreconditionRequired}, status) && !isBuild:
		printRejection(stderr, status, body, false)
		return clientRejected
	case *fails || status == http.StatusConflict:
		fmt.Fprintln(stderr, "API error:", answer.Detail)
		return apiError
	default:
		fmt.Fprintf(stderr, "API Error (continuing due to --fail-on-api-error=false)\n    Status: %d\n    Error: %v\n", status, answer.Detail)
	}
	fmt.Fprintf(stdout, "✓ %s%s event tracked successfully\n  Event ID: %s\n", strings.ToUpper(operation[:1]), operation[1:], answer.ID)
	return writeSummary(operation, answer.ID)
}

// writeSummary adds the link to a deployment to the summary of a job of GitHub.
func writeSummary(operation, id string) (exit int) {
	if os.Getenv("GITHUB_ACTIONS") != "true" || operation != "deployment" {
		return 0
	}
	link := fmt.Sprintf("[View in Versioner →](%s/manage/deployments?view=%s)\n", os.Getenv("VERSIONER_UI_URL"), id)
	if err := os.WriteFile(os.Getenv("GITHUB_STEP_SUMMARY"), []byte(link), 0o600); err != nil {
		return clientFailed
	}
	return 0
}

func sendAs(url, key string, event map[string]any) (status int, body []byte, err error) {
	sent, err := json.Marshal(event)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(sent))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// rejectionBody is what clients read of the answer to a start that rules block: the inner members, which older Actions read outside.
type rejectionBody struct {
	Message string
	Detail  struct {
		Message    string
		Code       string
		RetryAfter string `json:"retry_after"`
		Details    map[string]any
	}
}

// printRejection prints what the command-line client and the Action print, in the order of their lines.
func printRejection(out io.Writer, status int, body []byte, isAction bool) {
	var answer rejectionBody
	if err := json.Unmarshal(body, &answer); err != nil {
		fmt.Fprintf(out, "❌ Deployment Failed (HTTP %d)\n\n%s\n", status, body)
		return
	}
	detail := answer.Detail
	rule, _ := detail.Details["rule_name"].(string)
	if rule == "" && isAction {
		rule = "Unknown Rule"
	}
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	optional := func(label, text string) {
		if text != "" {
			line("%s: %s", label, text)
		}
	}
	advice := func() {
		if !isAction {
			line("\nTo skip checks (emergency only), add:\n  --skip-preflight-checks")
		}
	}
	switch status {
	case http.StatusConflict:
		line("⚠️  Deployment Conflict\n\n%s\nAnother deployment is in progress. Please wait and retry.", detail.Message)
	case http.StatusLocked:
		line("🔒 Deployment Blocked by Schedule\n")
		optional("Rule", rule)
		line("%s", detail.Message)
		optional("\nRetry after", detail.RetryAfter)
		advice()
	default:
		line("❌ Deployment Precondition Failed\n\nError: %s", detail.Code)
		optional("Rule", rule)
		line("%s", detail.Message)
		switch detail.Code {
		case "FLOW_VIOLATION":
			line("\nDeploy to required environments first, then retry.")
		case "INSUFFICIENT_SOAK_TIME":
			optional("\nRetry after", detail.RetryAfter)
			line("\nWait for soak time to complete, then retry.")
			advice()
		case "QUALITY_APPROVAL_REQUIRED", "APPROVAL_REQUIRED":
			line("\nApproval required before deployment can proceed.\nObtain approval via Versioner UI, then retry.")
		default:
			optional("\nRetry after", detail.RetryAfter)
			line("\nResolve the issue described above, then retry.")
			advice()
		}
	}
	if detail.Details != nil && (!isAction || status == http.StatusPreconditionRequired) {
		details, _ := json.MarshalIndent(detail.Details, "  ", "  ")
		line("\nDetails:\n  %s", details)
	}
}

// runAction reports the start of a deployment as the GitHub Action does, and returns the error of the job; isOld is an Action that reads
// the outer members. warnings are those of rules that only report.
func runAction(t *testing.T, api *testapi.API, version string, isOld bool) (failure string, warnings []string) {
	t.Helper()
	if published := os.Getenv(publishedAction); published != "" && !isOld {
		return runPublishedAction(t, published, api, version)
	}
	status, body, err := sendAs(api.URL+deploy, api.Key, map[string]any{
		"product_name": "checkout", "version": version, "environment": "production", "status": "in_progress", "completed_at": time.Now(), "source_system": "github",
		"build_url": "https://github.com/acme/checkout/actions/runs/4711", "invoke_id": "action " + version, "extra_metadata": map[string]any{"vi_gh_run_attempt": "1"},
	})
	require.NoError(t, err)
	if status == http.StatusOK {
		var recorded struct {
			Metadata struct {
				Preflight struct {
					Rules []struct {
						Name   string `json:"rule_name"`
						Status string
						Result string `json:"evaluation_result"`
						Error  string `json:"error_message"`
					} `json:"rules_evaluated"`
				} `json:"preflight_status"`
			} `json:"extra_metadata"`
		}
		require.NoError(t, json.Unmarshal(body, &recorded))
		for _, rule := range recorded.Metadata.Preflight.Rules {
			if rule.Status == "report_only" && rule.Result == "failed" {
				warnings = append(warnings, rule.Name+": "+rule.Error)
			}
		}
		return "", warnings
	}
	if isOld {
		var answer rejectionBody
		require.NoError(t, json.Unmarshal(body, &answer))
		return "Deployment rejected: " + answer.Message, nil
	}
	var printed strings.Builder
	printRejection(&printed, status, body, true)
	return printed.String(), nil
}

// runPublishedAction runs the Action as a runner does.
func runPublishedAction(t *testing.T, program string, api *testapi.API, version string) (failure string, warnings []string) {
	t.Helper()
	output, err := run(t, environ("GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/checkout", "GITHUB_SHA="+strings.Repeat("a", 40), "GITHUB_REF=refs/heads/main",
		"GITHUB_RUN_ID=4711"+version, "GITHUB_RUN_NUMBER=7", "GITHUB_RUN_ATTEMPT=1", "GITHUB_ACTOR=ada", "INPUT_API_URL="+api.URL, "INPUT_API_KEY="+api.Key,
		"INPUT_PRODUCT_NAME=checkout", "INPUT_VERSION="+version, "INPUT_ENVIRONMENT=production", "INPUT_STATUS=in_progress", "INPUT_FAIL_ON_REJECTION=true",
	), t.TempDir(), "node", program)
	for line := range strings.SplitSeq(output, "\n") {
		line = strings.NewReplacer("%0A", "\n", "%0D", "\r", "%25", "%").Replace(line)
		if text, isError := strings.CutPrefix(line, "::error::"); isError {
			failure = text
		} else if text, isWarning := strings.CutPrefix(line, "::warning::"); isWarning {
			warnings = append(warnings, text)
		}
	}
	require.Equal(t, failure != "", err != nil, "%s", output)
	return failure, warnings
}

// TestPublishedClientsOfRejections runs the clients against rules of each code, and compares what they print with the table of the page.
func TestPublishedClientsOfRejections(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/ci/README.md").text
	report := func(version, environment, status string) func(*testing.T, *testapi.API) {
		return func(t *testing.T, api *testapi.API) {
			t.Helper()
			api.PostEvent(t, deploy, map[string]any{"product_name": "checkout", "version": version, "environment_name": environment, "status": status})
		}
	}
	nothing := func(*testing.T, *testapi.API) {}
	for code, test := range map[string]struct {
		status         int
		ruleType, rule string
		before, after  func(*testing.T, *testapi.API)
		hasRetryTime   bool // is printed
	}{
		"NO_DEPLOY_WINDOW":          {http.StatusLocked, "schedule", freeze("Peak season"), nothing, nothing, true},
		"DEPLOYMENT_IN_PROGRESS":    {http.StatusConflict, "concurrency", `"concurrency":{"max_in_progress":1,"per":"product"}`, nothing, report("2", "production", "started"), false},
		"FLOW_VIOLATION":            {http.StatusPreconditionRequired, "flow", `"flow":{"prerequisites":["test"]}`, nothing, nothing, false},
		"INSUFFICIENT_SOAK_TIME":    {http.StatusPreconditionRequired, "flow", `"flow":{"prerequisites":["test"],"min_soak_minutes":60}`, report("3", "test", "completed"), nothing, true},
		"QUALITY_APPROVAL_REQUIRED": {http.StatusPreconditionRequired, "version_approval_required", `"version_approval_required":{"required_approvals":["qa"]}`, nothing, nothing, false},
		"APPROVAL_REQUIRED":         {http.StatusPreconditionRequired, "deployment_request_required", requestByQA, nothing, nothing, false},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			test.before(t, api)
			rule(t, api, "The rule", test.ruleType, test.rule)
			test.after(t, api)
			c := newCheckout(t, api.URL, api.Key, "PATH="+installClient(t)+":"+os.Getenv("PATH"))
			output, err := c.sh(t, "versioner track deployment --product checkout --version 3 --environment production --status started --invoke-id cli 2>&1")
			require.ErrorContains(t, err, "exit status 5", output)
			printed, details, hasDetails := strings.Cut(output, "Details:\n")
			require.True(t, hasDetails)
			var decoded map[string]any
			require.NoError(t, json.Unmarshal([]byte(details), &decoded), "all details as JSON")
			require.Equal(t, "The rule", decoded["rule_name"])

			heading, row := tableRow(t, page, code)
			require.Equal(t, strconv.Itoa(test.status), row[0])
			requirePrinted := func(printed string) (message string) {
				t.Helper()
				require.Regexp(t, "^\\S+ +"+heading+"\n", printed)
				for _, quoted := range quotes(row[3]) {
					require.Contains(t, printed, quoted)
				}
				require.Equal(t, strings.Contains(row[3], "the rule, "), strings.Contains(printed, "\nRule: The rule\n"))
				require.Equal(t, strings.Contains(row[3], "the code, "), strings.Contains(printed, "\nError: "+code+"\n"))
				_, after, hasTime := strings.Cut(printed, "\nRetry after: ")
				require.Equal(t, test.hasRetryTime, hasTime)
				if hasTime {
					at, err := time.Parse(time.RFC3339, strings.Fields(after)[0])
					require.NoError(t, err)
					require.Greater(t, at, time.Now())
				}
				_, message, _ = strings.Cut(printed, "\nThe rule: ")
				message, _, isLine := strings.Cut(message, "\n")
				require.True(t, isLine, "the message names the rule")
				return message
			}
			message := requirePrinted(printed)
			require.Equal(t, strings.Contains(row[3], "--skip-preflight-checks"), strings.Contains(printed, "--skip-preflight-checks"))
			failure, _ := runAction(t, api, "3", false)
			require.Equal(t, message, requirePrinted(failure))
			old, _ := runAction(t, api, "3", true)
			require.Equal(t, "Deployment rejected: The rule: "+message, old)

			skipped, err := c.sh(t, "versioner track deployment --product checkout --version 3 --environment production --status started --invoke-id cli --skip-preflight-checks 2>&1")
			require.ErrorContains(t, err, "exit status 5", "the key may not skip rules")
			require.Contains(t, skipped, "skip_preflight_checks was ignored")
			skipping := api.As(t, "admin", http.MethodPost, "/api-keys/", `{"name":"skip","scopes":["events","skip_preflight"]}`).Field(t, "key")
			_, err = c.sh(t, fmt.Sprintf("VERSIONER_API_KEY=%s versioner track deployment --product checkout --version 3 --environment production --status started --invoke-id skip --skip-preflight-checks", skipping))
			require.Equal(t, test.status != http.StatusConflict, err == nil, "all rules but those of concurrency are skipped")
			ended, err := c.sh(t, "versioner track deployment --product checkout --version 3 --environment production --status success --invoke-id cli")
			require.NoError(t, err, "an end is recorded")
			require.Contains(t, ended, "Event ID: ")
		})
	}

	t.Run("ReportOnly", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		rule(t, api, "Only reported", "schedule", `"mode":"report_only",`+freeze("Peak season"))
		failure, warnings := runAction(t, api, "1", false)
		require.Empty(t, failure)
		c := newCheckout(t, api.URL, api.Key, "PATH="+installClient(t)+":"+os.Getenv("PATH"))
		_, err := c.sh(t, "versioner track deployment --product checkout --version 2 --environment production --status started")
		require.NoError(t, err)
		if os.Getenv(publishedAction) != "" {
			t.Logf("warnings of the Action: %q", warnings) // not every release shows them
			return
		}
		require.Len(t, warnings, 1)
		require.Regexp(t, `^Only reported: .*Peak season`, warnings[0])
	})
}

// TestPublishedClientExitStatuses compares the client with its table of exit statuses, which says what they mean.
func TestPublishedClientExitStatuses(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/ci/README.md").text
	api := testapi.New(t)
	rule(t, api, "The rule", "schedule", freeze("Peak season"))
	api.PostEvent(t, "/build-events/", map[string]any{"product_name": "checkout", "version": "bound", "status": "completed", "scm_sha": strings.Repeat("a", 40)})
	unavailable := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	limited := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	const deployment, build, ignore, wrongKey = "deployment --environment test --version 1 ", "build --version 1 ", "--fail-on-api-error=false", "sk_acme_k1_x"
	for name, test := range map[string]struct {
		url, key, arguments string
		exit                int
		printed             string
	}{
		"Deployment":                {api.URL, api.Key, deployment + "--status pending", 0, "✓ Deployment event tracked successfully\n  Event ID: 0"},
		"DeploymentTwoSlashes":      {api.URL + "/", api.Key, deployment + "--status started", 0, "Event ID: 0"},
		"DeploymentWrongKey":        {api.URL, wrongKey, deployment, clientAPIError, "API error: Invalid authentication credentials\n"},
		"DeploymentSessionToken":    {api.URL, api.Token(t, testapi.Account, "admin"), deployment, clientAPIError, "API error: You do not have permission to perform this action\n"},
		"DeploymentWrongStatus":     {api.URL, api.Key, deployment + "--status deploys", clientAPIError, "unknown status; accepted are: pending, "},
		"DeploymentWrongKeyIgnored": {api.URL, wrongKey, deployment + ignore, 0, "Event ID: \n"},
		"DeploymentUnavailable":     {unavailable, api.Key, deployment + ignore, clientFailed, "HTTP 503\n"},
		"DeploymentLimited":         {limited, api.Key, deployment, clientFailed, "HTTP 429\n"},
		"DeploymentNotListening":    {"http://" + freeAddress(t), api.Key, deployment + ignore, clientFailed, "refused"},
		"DeploymentWithoutVersion":  {api.URL, api.Key, "deployment --environment test", clientFailed, ""},
		"DeploymentRejected":        {api.URL, api.Key, "deployment --environment production --version 1 --status started " + ignore, clientRejected, "The rule"},
		"DeploymentEndsInTheWindow": {api.URL, api.Key, "deployment --environment production --version 1 --status success", 0, "Event ID: 0"},
		"Build":                     {api.URL, api.Key, build, 0, "✓ Build event tracked successfully\n  Event ID: 0"},
		"BuildWrongKey":             {api.URL, wrongKey, build, buildFailed, "API error: Invalid authentication credentials\n"},
		"BuildWrongKeyIgnored":      {api.URL, wrongKey, build + ignore, 0, "Event ID: \n"},
		"BuildUnavailable":          {unavailable, api.Key, build + ignore, buildFailed, "HTTP 503\n"},
		"BuildOfAnotherCommit":      {api.URL, api.Key, "build --version bound --scm-sha bbbbbbb " + ignore, buildFailed, "API error: Version bound already exists with different SHA\n"},
		"BuildWithoutVersion":       {api.URL, api.Key, "build", clientFailed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCheckout(t, test.url, test.key, "PATH="+installClient(t)+":"+os.Getenv("PATH"))
			if strings.Contains(test.arguments, ignore) {
				usage, _ := c.sh(t, "versioner track deployment --help 2>&1")
				if os.Getenv(publishedClient) != "" && !strings.Contains(usage, ignore[:len(ignore)-len("=false")]) {
					t.Skip("SKIPPED: this release has no --fail-on-api-error")
				}
			}
			output, err := c.sh(t, "status=0; versioner track "+test.arguments+" --product checkout 2>&1 || status=$?; echo \"exit $status\"")
			require.NoError(t, err)
			require.Contains(t, output, fmt.Sprintf("exit %d\n", test.exit))
			require.Contains(t, output, test.printed)
			if test.exit != 0 {
				_, row, found := strings.Cut(page, "| `track "+strings.Fields(test.arguments)[0]+"` | ")
				require.True(t, found)
				require.Contains(t, strings.SplitN(row, "\n", 2)[0], fmt.Sprintf("%d: ", test.exit))
			}
		})
	}
}

// TestPublishedClientLink follows the link in the summary of a job.
func TestPublishedClientLink(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	c := newCheckout(t, api.URL, api.Key, "PATH="+installClient(t)+":"+os.Getenv("PATH"), "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=summary.md", "VERSIONER_UI_URL="+api.URL)
	output, err := c.sh(t, "versioner track deployment --product checkout --version 1 --environment test --status success")
	require.NoError(t, err)
	_, id, _ := strings.Cut(output, "Event ID: ")
	id = strings.TrimSpace(id)
	summary, err := os.ReadFile(filepath.Join(c.dir, "summary.md"))
	require.NoError(t, err)
	_, link, _ := strings.Cut(string(summary), "[View in Versioner →](")
	link, _, _ = strings.Cut(link, ")")
	require.Equal(t, api.URL+"/manage/deployments?view="+id, link)
	output, err = run(t, environ(), c.dir, "curl", "-sS", "-o", "/dev/null", "-w", "%{redirect_url}", "-H", "Sec-Fetch-Dest: document", link)
	require.NoError(t, err)
	require.Equal(t, api.URL+"/app/deployments/"+id, output)
}

const requestByQA = `"deployment_request_required":{"required_approvals":["qa"]}`

// TestPublishedClientsOfRequests starts a version before its deployment request exists, before it is approved, and afterwards.
func TestPublishedClientsOfRequests(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	version := api.PostEvent(t, deploy, map[string]any{"product_name": "checkout", "version": "3", "environment_name": "test", "status": "completed"}).Field(t, "version_id")
	environment := api.PostEvent(t, deploy, map[string]any{"product_name": "other", "version": "1", "environment_name": "production", "status": "completed"}).Field(t, "environment_id")
	rule(t, api, "The rule", "deployment_request_required", requestByQA)
	c := newCheckout(t, api.URL, api.Key, "PATH="+installClient(t)+":"+os.Getenv("PATH"))
	start := func() (string, error) {
		return c.sh(t, "versioner track deployment --product checkout --version 3 --environment production --status started --invoke-id cli 2>&1")
	}
	requireBlocked := func() {
		t.Helper()
		output, err := start()
		require.ErrorContains(t, err, "exit status 5", output)
		failure, _ := runAction(t, api, "3", false)
		require.Contains(t, failure, "APPROVAL_REQUIRED")
	}
	send := func(role, method, path, body string) testapi.Answer {
		t.Helper()
		answer := api.As(t, role, method, path, body)
		require.Less(t, answer.Status, 300, "%s %s: %s", method, path, answer.Body)
		return answer
	}

	requireBlocked()
	request := send("developer", http.MethodPost, "/deployment-requests/",
		fmt.Sprintf(`{"name":"Checkout 3","environment_ids":[%q],"approvals":[{"approval_type":"qa","required":true}]}`, environment)).Field(t, "id")
	path := fmt.Sprintf("/deployment-requests/%s", request)
	send("developer", http.MethodPost, path+"/versions", fmt.Sprintf(`{"version_id":%q}`, version))
	send("developer", http.MethodPost, path+"/activate", "")
	requireBlocked()
	slots, isList := send("qa", http.MethodGet, path+"/approvals", "").Field(t, "items").([]any)
	require.True(t, isList)
	require.Len(t, slots, 1)
	send("qa", http.MethodPost, fmt.Sprintf("%s/approvals/%s/approve", path, slots[0].(map[string]any)["id"]), `{"activation":1}`)

	output, err := start()
	require.NoError(t, err, output)
	failure, _ := runAction(t, api, "3", false)
	require.Empty(t, failure)
	deployments, isList := send("viewer", http.MethodGet, "/deployments/?product=checkout&environment=production&status=started", "").Field(t, "items").([]any)
	require.True(t, isList)
	require.Len(t, deployments, 2, "of the command and of the Action")
	for _, one := range deployments {
		require.Equal(t, request, one.(map[string]any)["deployment_request_id"])
	}
}

// tableRow returns the cells of a code in the table of what is printed, and the first line.
func tableRow(t *testing.T, page, code string) (heading string, cells []string) {
	t.Helper()
	_, table, found := strings.Cut(page, "### What a rejected pipeline prints")
	require.True(t, found)
	for line := range strings.SplitSeq(table, "\n") {
		cells = strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) == 4 && strings.Contains(cells[1], "`"+code+"`") {
			return cells[2], cells
		}
	}
	require.Fail(t, "no row", code)
	return "", nil
}

// quotes returns the texts in quotation marks.
func quotes(text string) (found []string) {
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 1 {
			found = append(found, part)
		}
	}
	return found
}
