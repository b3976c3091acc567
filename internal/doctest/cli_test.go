package doctest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The published clients cannot be installed where the tests run. What stands for them sends what their source says that
// they send: the command line client below, the GitHub Action in ci_systems_test.go.

// found are the variables that the command line client reads in each CI system, by the field that they become. The first
// one that is not empty wins.
func found(source string) map[string][]string {
	return map[string]map[string][]string{
		"github": {
			"scm_repository": {"GITHUB_REPOSITORY"}, "scm_sha": {"GITHUB_SHA"}, "invoke_id": {"GITHUB_RUN_ID"}, "build_number": {"GITHUB_RUN_NUMBER"},
			"deployed_by": {"GITHUB_ACTOR"}, "deploy_url": {"{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"},
		},
		"gitlab": {
			"scm_repository": {"CI_PROJECT_PATH"}, "scm_sha": {"CI_COMMIT_SHA"}, "invoke_id": {"CI_PIPELINE_ID"}, "build_number": {"CI_PIPELINE_IID"},
			"deploy_url": {"CI_PIPELINE_URL"}, "deployed_by": {"GITLAB_USER_LOGIN"}, "deployed_by_email": {"GITLAB_USER_EMAIL"}, "deployed_by_name": {"GITLAB_USER_NAME"},
		},
		"jenkins": {
			"scm_repository": {"GIT_URL"}, "scm_sha": {"GIT_COMMIT"}, "invoke_id": {"BUILD_ID"}, "build_number": {"BUILD_NUMBER"},
			"deploy_url": {"BUILD_URL"}, "deployed_by": {"BUILD_USER"}, "deployed_by_email": {"BUILD_USER_EMAIL"},
		},
		"circleci": {
			"scm_repository": {"{CIRCLE_PROJECT_USERNAME}/{CIRCLE_PROJECT_REPONAME}"}, "scm_sha": {"CIRCLE_SHA1"}, "invoke_id": {"CIRCLE_WORKFLOW_ID"},
			"build_number": {"CIRCLE_BUILD_NUM"}, "deploy_url": {"CIRCLE_BUILD_URL"}, "deployed_by": {"CIRCLE_USERNAME"},
		},
		"bitbucket": {
			"scm_repository": {"BITBUCKET_REPO_FULL_NAME"}, "scm_sha": {"BITBUCKET_COMMIT"}, "invoke_id": {"BITBUCKET_PIPELINE_UUID"},
			"build_number": {"BITBUCKET_BUILD_NUMBER"}, "deploy_url": {"https://bitbucket.org/{BITBUCKET_REPO_FULL_NAME}/pipelines/results/{BITBUCKET_BUILD_NUMBER}"},
		},
		"azure-devops": {
			"scm_repository": {"BUILD_REPOSITORY_NAME"}, "scm_sha": {"BUILD_SOURCEVERSION"}, "invoke_id": {"BUILD_BUILDID"}, "build_number": {"BUILD_BUILDNUMBER"},
			"deploy_url": {"BUILD_BUILDURI"}, "deployed_by": {"BUILD_REQUESTEDFOR"}, "deployed_by_email": {"BUILD_REQUESTEDFOREMAIL"},
		},
		"travis": {
			"scm_repository": {"TRAVIS_REPO_SLUG"}, "scm_sha": {"TRAVIS_COMMIT"}, "invoke_id": {"TRAVIS_BUILD_ID"}, "build_number": {"TRAVIS_BUILD_NUMBER"},
			"deploy_url": {"TRAVIS_BUILD_WEB_URL"},
		},
		"rundeck": {
			"invoke_id": {"RD_JOB_EXECID"}, "build_number": {"RD_JOB_EXECID"}, "deployed_by": {"RD_JOB_USERNAME", "RD_JOB_USER_NAME"},
			"deploy_url": {"{RD_JOB_SERVERURL}/project/{RD_JOB_PROJECT}/execution/show/{RD_JOB_EXECID}"},
		},
	}[source]
}

// sourceSystem is how the client tells where it runs.
func sourceSystem() string {
	for _, one := range [][3]string{
		{"GITHUB_ACTIONS", "true", "github"},
		{"GITLAB_CI", "true", "gitlab"},
		{"JENKINS_URL", "", "jenkins"},
		{"CIRCLECI", "true", "circleci"},
		{"BITBUCKET_BUILD_NUMBER", "", "bitbucket"},
		{"TF_BUILD", "True", "azure-devops"},
		{"TRAVIS", "true", "travis"},
		{"RD_JOB_ID", "", "rundeck"},
	} {
		if value := os.Getenv(one[0]); value != "" && (one[1] == "" || value == one[1]) {
			return one[2]
		}
	}
	return "unknown"
}

// lookup reads a variable, or a text with variables in braces.
func lookup(name string) string {
	if !strings.Contains(name, "{") {
		return os.Getenv(name)
	}
	return os.Expand(strings.ReplaceAll(name, "{", "${"), os.Getenv)
}

// clientFlags are the flags of `track deployment` that all releases since deploy-url have, by the field that they become.
func clientFlags() map[string]string {
	return map[string]string{
		"product": "product_name", "version": "version", "environment": "environment_name", "status": "status", "source-system": "source_system",
		"build-number": "build_number", "scm-sha": "scm_sha", "scm-repository": "scm_repository", "deploy-url": "deploy_url", "invoke-id": "invoke_id",
		"deployed-by": "deployed_by", "deployed-by-email": "deployed_by_email", "deployed-by-name": "deployed_by_name",
	}
}

// beTheClient is the program: it ends with the client's own exit statuses.
func beTheClient() {
	event, err := clientEvent(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	body, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	request, err := http.NewRequest(http.MethodPost, os.Getenv("VERSIONER_API_URL")+deploy, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+os.Getenv("VERSIONER_API_KEY"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answer, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		fmt.Fprintln(os.Stdout, "tracked")
	case http.StatusConflict, http.StatusLocked, http.StatusPreconditionRequired:
		fmt.Fprintf(os.Stderr, "%s\n", answer)
		os.Exit(5)
	default:
		fmt.Fprintf(os.Stderr, "%s\n", answer)
		os.Exit(4)
	}
}

func clientEvent(args []string) (map[string]string, error) {
	if len(args) < 2 || args[0] != "track" || args[1] != "deployment" {
		return nil, errors.New("not `track deployment`")
	}
	flags := flag.NewFlagSet("versioner", flag.ContinueOnError)
	values := make(map[string]*string)
	for name, field := range clientFlags() {
		values[field] = flags.String(name, "", "")
	}
	if err := flags.Parse(args[2:]); err != nil {
		return nil, err
	}
	event := make(map[string]string)
	source := sourceSystem()
	for field, value := range values {
		event[field] = *value
		if event[field] == "" && field == "source_system" {
			event[field] = source
		}
		for _, name := range found(source)[field] {
			if event[field] == "" {
				event[field] = lookup(name)
			}
		}
		if event[field] == "" {
			delete(event, field)
		}
	}
	return event, nil
}

// installClient returns a directory for PATH whose curl fetches the stand-in for the client instead of a release of it.
func installClient(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	curl, err := exec.LookPath("curl")
	require.NoError(t, err, "the guides need curl")
	dir := t.TempDir()
	client := filepath.Join(dir, "client")
	require.NoError(t, os.WriteFile(client, []byte("#!/bin/sh\n"+beCLI+"=1 exec '"+self+"' \"$@\"\n"), 0o755))
	fetch := `#!/bin/sh
case "$*" in
"-fsSL https://github.com/versioner-io/versioner-cli/releases/latest/download/versioner-linux-amd64 -o versioner") cat '` + client + `' > versioner ;;
*versioner-cli*) echo "not how the client is fetched: $*" >&2; exit 1 ;;
*) exec '` + curl + `' "$@" ;;
esac
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "curl"), []byte(fetch), 0o755))
	return dir
}

func lookPath(name string) (string, bool) {
	path, err := exec.LookPath(name)
	return path, err == nil
}

// serve answers until the test ends.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// newRefusing answers every event as a rule does that allows nothing.
func newRefusing(t *testing.T) *refusing {
	t.Helper()
	r := &refusing{mu: make(chan struct{}, 1)}
	g := read(t, "docs/errors.md")
	var body string
	for _, b := range g.blocks {
		if strings.HasPrefix(b.heading, "409, 423, 428") {
			body = b.text
		}
	}
	require.NotEmpty(t, body)
	r.URL = serve(t, func(w http.ResponseWriter, request *http.Request) {
		var event struct{ Status string }
		_ = json.NewDecoder(request.Body).Decode(&event)
		r.mu <- struct{}{}
		r.seen = append(r.seen, map[string]string{"in_progress": "started"}[event.Status]+strings.ReplaceAll(event.Status, "in_progress", ""))
		<-r.mu
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusLocked)
		_, _ = io.WriteString(w, body)
	})
	return r
}
