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
// reads the members of an answer that they read, and prints and exits as they do.

// beClient is a variable that makes the program of the tests the command-line client.
const beClient = "DOCTEST_BE_CLIENT"

// Exit statuses of `versioner track deployment`.
const (
	clientFailed   = 1 // no connection, or invalid arguments
	clientAPIError = 4
	clientRejected = 5
)

// installClient returns a directory with the command-line client, versioner.
func installClient(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", beClient, program)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "versioner"), []byte(script), 0o755))
	return dir
}

// runClient carries out `track deployment`.
func runClient(args []string, stdout, stderr io.Writer) (exit int) {
	if len(args) < 2 || args[0] != "track" || args[1] != "deployment" {
		fmt.Fprintln(stderr, "unknown command")
		return clientFailed
	}
	event := map[string]any{"source_system": "unknown"} // as outside of CI
	flags := flag.NewFlagSet("deployment", flag.ContinueOnError)
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
	if err := flags.Parse(args[2:]); err != nil {
		return clientFailed
	}
	status, body, err := sendAs(os.Getenv("VERSIONER_API_URL")+deploy, os.Getenv("VERSIONER_API_KEY"), event)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "Error:", err)
		return clientFailed
	case status/100 == 2:
		var recorded struct{ ID string }
		if err := json.Unmarshal(body, &recorded); err != nil {
			return clientFailed
		}
		fmt.Fprintln(stdout, "Event ID:", recorded.ID)
		return 0
	case slices.Contains([]int{http.StatusConflict, http.StatusLocked, http.StatusPreconditionRequired}, status):
		printRejection(stderr, status, body)
		return clientRejected
	}
	fmt.Fprintf(stderr, "API error: %s\n", body)
	return clientAPIError
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

// printRejection prints what the command-line client prints, in the order of its lines.
func printRejection(out io.Writer, status int, body []byte) {
	var answer rejectionBody
	if err := json.Unmarshal(body, &answer); err != nil {
		fmt.Fprintf(out, "Deployment Failed (HTTP %d)\n%s\n", status, body)
		return
	}
	detail := answer.Detail
	rule, _ := detail.Details["rule_name"].(string)
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	optional := func(label, text string) {
		if text != "" {
			line("%s: %s", label, text)
		}
	}
	advice := func() { line("To skip checks (emergency only), add:\n  --skip-preflight-checks") }
	switch status {
	case http.StatusConflict:
		line("Deployment Conflict\n%s\nAnother deployment is in progress. Please wait and retry.", detail.Message)
	case http.StatusLocked:
		line("Deployment Blocked by Schedule")
		optional("Rule", rule)
		line("%s", detail.Message)
		optional("Retry after", detail.RetryAfter)
		advice()
	default:
		line("Deployment Precondition Failed\nError: %s", detail.Code)
		optional("Rule", rule)
		line("%s", detail.Message)
		switch detail.Code {
		case "FLOW_VIOLATION":
			line("Deploy to required environments first, then retry.")
		case "INSUFFICIENT_SOAK_TIME":
			optional("Retry after", detail.RetryAfter)
			line("Wait for soak time to complete, then retry.")
			advice()
		case "QUALITY_APPROVAL_REQUIRED", "APPROVAL_REQUIRED":
			line("Approval required before deployment can proceed.\nObtain approval via Versioner UI, then retry.")
		default:
			optional("Retry after", detail.RetryAfter)
			advice()
		}
	}
	if detail.Details != nil {
		details, _ := json.MarshalIndent(detail.Details, "", "  ")
		line("Details:\n%s", details)
	}
}

// runAction reports the start of a deployment as the GitHub Action does, and returns the error of the job; isOld is an Action that reads
// the outer members. warnings are those of rules that only report.
func runAction(t *testing.T, api *testapi.API, version string, isOld bool) (failure string, warnings []string) {
	t.Helper()
	status, body, err := sendAs(api.URL+deploy, api.Key, map[string]any{
		"product_name": "checkout", "version": version, "environment": "production", "status": "in_progress", "completed_at": time.Now(), "source_system": "github",
		"build_url": "https://github.com/acme/checkout/actions/runs/4711", "invoke_id": "action " + version, "extra_metadata": map[string]any{},
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
	var answer rejectionBody
	require.NoError(t, json.Unmarshal(body, &answer))
	if isOld {
		return "Deployment rejected: " + answer.Message, nil
	}
	rule, _ := answer.Detail.Details["rule_name"].(string)
	if rule == "" {
		rule = "Unknown Rule"
	}
	return strings.Join([]string{answer.Detail.Code, rule, answer.Detail.Message, answer.Detail.RetryAfter}, "\n"), nil
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
		hasRetryTime   bool
	}{
		"NO_DEPLOY_WINDOW":          {http.StatusLocked, "schedule", freeze("Peak season"), nothing, nothing, true},
		"DEPLOYMENT_IN_PROGRESS":    {http.StatusConflict, "concurrency", `"concurrency":{"max_in_progress":1,"per":"product"}`, nothing, report("2", "production", "started"), true},
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
			require.Equal(t, heading, strings.SplitN(printed, "\n", 2)[0])
			for _, quoted := range quotes(row[3]) {
				require.Contains(t, printed, quoted)
			}
			require.Contains(t, printed, "The rule: ", "the message names the rule")
			require.Equal(t, strings.Contains(row[3], "the rule, "), strings.Contains(printed, "\nRule: The rule\n"))
			require.Equal(t, strings.Contains(row[3], "the code, "), strings.Contains(printed, "\nError: "+code+"\n"))
			require.Equal(t, strings.Contains(row[3], "--skip-preflight-checks"), strings.Contains(printed, "--skip-preflight-checks"))

			failure, _ := runAction(t, api, "3", false)
			lines := strings.Split(failure, "\n")
			require.Len(t, lines, 4)
			require.Equal(t, []string{code, "The rule"}, lines[:2])
			require.Contains(t, lines[2], "The rule: ")
			if test.hasRetryTime {
				at, err := time.Parse(time.RFC3339, lines[3])
				require.NoError(t, err)
				require.Greater(t, at, time.Now())
			} else {
				require.Empty(t, lines[3], "waiting does not suffice")
			}
			old, _ := runAction(t, api, "3", true)
			require.Equal(t, "Deployment rejected: "+lines[2], old)

			skipped, err := c.sh(t, "versioner track deployment --product checkout --version 3 --environment production --status started --invoke-id cli --skip-preflight-checks 2>&1")
			require.ErrorContains(t, err, "exit status 5", "the key may not skip rules")
			require.Contains(t, skipped, "skip_preflight_checks was ignored")
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
		require.Len(t, warnings, 1)
		require.Regexp(t, `^Only reported: .*Peak season`, warnings[0])
	})
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
