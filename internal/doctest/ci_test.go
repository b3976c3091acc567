package doctest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/versioner-io/versioner/internal/testapi"
)

// checkout is a working directory of a CI system, with versioner-event.sh and a script that deploys.
type checkout struct {
	dir string
	env []string
}

func newCheckout(t *testing.T, url, key string, env ...string) *checkout {
	t.Helper()
	c := &checkout{dir: t.TempDir(), env: environ(append(env, "VERSIONER_API_URL="+url, "VERSIONER_API_KEY="+key)...)}
	c.write(t, "ci/versioner-event.sh", eventScript(t))
	c.write(t, "deploy.sh", "#!/bin/sh\nexit ${DEPLOY_EXIT_CODE:-0}\n")
	return c
}

func eventScript(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(root, "docs", "examples", "versioner-event.sh"))
	require.NoError(t, err)
	return string(script)
}

func (c *checkout) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(c.dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
}

// sh runs a script that ends with the first command that fails.
func (c *checkout) sh(t *testing.T, script string, env ...string) (string, error) {
	t.Helper()
	return run(t, append(c.env, env...), c.dir, "bash", "-e", "-o", "pipefail", "-c", script)
}

// testPipelines checks the pipelines of a page statically: they are YAML, they set only variables that versioner-event.sh reads, and one
// asks whether the deployment may start.
func testPipelines(languages ...string) func(*testing.T, *guide) {
	return func(t *testing.T, g *guide) {
		t.Helper()
		script, asks := eventScript(t), false
		for _, b := range g.take(t, languages...) {
			asks = asks || b.heading == "Ask beforehand" && strings.Contains(b.text, ".sh preflight")
			if b.language == "yaml" {
				var pipeline any
				require.NoError(t, yaml.Unmarshal([]byte(b.text), &pipeline), "%s:%d", g.path, b.line)
			}
			for _, name := range regexp.MustCompile(`\bVERSIONER_[A-Z_]+\b`).FindAllString(b.text, -1) {
				require.Contains(t, script, name, "%s:%d", g.path, b.line)
			}
		}
		require.True(t, asks, "%s does not ask beforehand", g.path)
	}
}

// actionlint is run as a module of its own: it needs another version of the YAML parser.
const actionlint = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"

// testGitHubActions checks the workflows of the page, and those of this repository, with actionlint.
func testGitHubActions(t *testing.T, g *guide) {
	t.Helper()
	testPipelines("yaml")(t, g)
	if _, err := run(t, os.Environ(), root, "go", "run", actionlint, "-version"); err != nil {
		require.Empty(t, os.Getenv("CI"), "actionlint cannot be fetched")
		t.Skip("SKIPPED: actionlint cannot be fetched")
	}
	lint := func(workflow string) string {
		path := filepath.Join(t.TempDir(), "workflow.yml")
		require.NoError(t, os.WriteFile(path, []byte(workflow), 0o600))
		problems, _ := run(t, os.Environ(), root, "go", "run", actionlint, "-shellcheck=", "-pyflakes=", path)
		return problems
	}
	for _, b := range g.take(t, "yaml") {
		require.Empty(t, lint(b.text), "%s:%d", g.path, b.line)
	}
	own, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, own)
	for _, path := range own {
		workflow, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Empty(t, lint(string(workflow)), path)
	}
	require.Contains(t, lint("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: \"${{ github.unknown }}\"}]}}\n"), `"unknown" is not defined`)
}

// testRundeck runs the scripts of the page with the variables of an execution.
func testRundeck(t *testing.T, g *guide) {
	t.Helper()
	testPipelines("yaml")(t, g)
	api := testapi.New(t)
	for i, b := range g.take(t, "sh") {
		version := strconv.Itoa(i)
		c := newCheckout(t, api.URL, "", "RD_OPTION_VERSIONER_API_KEY="+api.Key, "RD_OPTION_VERSIONER_PREFLIGHT_KEY="+newPreflightKey(t, api), "RD_OPTION_VERSION="+version, "RD_JOB_EXECID=4711",
			"RD_JOB_URL=https://rundeck.example.com/4711", "RD_JOB_USERNAME=ada")
		script := strings.NewReplacer("https://versioner.example.com", api.URL, "/usr/local/bin/versioner-event.sh", "ci/versioner-event.sh",
			"/usr/local/bin/versioner", installClient(t)+"/versioner").Replace(b.text)
		c.write(t, "versioner-rundeck.sh", script)
		_, err := c.sh(t, "./versioner-rundeck.sh started && ./versioner-rundeck.sh completed")
		require.NoError(t, err)
		recorded := items(t, api.URL+"/deployments/?version="+version, api.Token(t, testapi.Account, "viewer"))
		require.Len(t, recorded, 1)
		require.Equal(t, "completed", recorded[0]["status"])
		require.NotNil(t, recorded[0]["started_at"])
		if i == 0 { // the command-line client does not ask
			output, err := c.sh(t, "./versioner-rundeck.sh preflight")
			require.NoError(t, err)
			require.Contains(t, output, "The deployment may start.")
		}
	}
}

// testAnyCI runs the lines for any CI with a deployment that succeeds and with one that fails, and asks beforehand, with the printed result.
func testAnyCI(t *testing.T, g *guide) {
	t.Helper()
	blocks := g.take(t, "sh")
	require.Len(t, blocks, 2)
	script, question := blocks[0].text, blocks[1]
	require.Equal(t, "Ask beforehand", question.heading)
	t.Run("AsksBeforehand", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		c := newCheckout(t, api.URL, api.Key, "VERSIONER_PREFLIGHT_KEY="+newPreflightKey(t, api))
		output, err := c.sh(t, question.text)
		require.NoError(t, err)
		require.Contains(t, output, "The deployment may start.")
		rule(t, api, "Holiday freeze", "schedule", freeze("Peak season"))
		output, err = c.sh(t, "{ "+question.text+"} 2>&1")
		require.ErrorContains(t, err, "exit status 5")
		_, shown, _ := strings.Cut(g.text, fence+"text\n")
		shown, _, _ = strings.Cut(shown, fence)
		for i, line := range strings.Split(strings.TrimSpace(shown), "\n") {
			require.Equal(t, instant.ReplaceAllString(line, "…"), instant.ReplaceAllString(strings.Split(output, "\n")[i+1], "…"))
		}
	})
	for name, fails := range map[string]bool{"Succeeds": false, "Fails": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			c := newCheckout(t, api.URL, api.Key, map[bool]string{false: "DEPLOY_EXIT_CODE=0", true: "DEPLOY_EXIT_CODE=3"}[fails])
			_, err := c.sh(t, script)
			require.Equal(t, !fails, err == nil)
			recorded := items(t, api.URL+"/deployments/", api.Token(t, testapi.Account, "viewer"))
			require.Len(t, recorded, 1)
			require.Equal(t, map[bool]string{false: "completed", true: "failed"}[fails], recorded[0]["status"])
			require.NotNil(t, recorded[0]["started_at"])
		})
	}
}

var instant = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?Z)?`)

// newPreflightKey creates an API key that may ask whether a deployment may start.
func newPreflightKey(t *testing.T, api *testapi.API) string {
	t.Helper()
	created := api.As(t, "admin", http.MethodPost, "/api-keys/", `{"name":"preflight","scopes":["preflight"]}`)
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	return created.Field(t, "key").(string)
}

// TestEventScriptExitStatus compares the script with its table of exit statuses.
func TestEventScriptExitStatus(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	rejecting := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusLocked) })
	for name, test := range map[string]struct {
		url, key, status, fail string
		exit                   int
	}{
		"Recorded":            {api.URL, api.Key, "Started", "", 0},
		"TwoSlashes":          {api.URL + "/", api.Key, "started", "", 0},
		"WrongKey":            {api.URL, "sk_acme_k1_x", "started", "", 1},
		"WrongKeyIgnored":     {api.URL, "sk_acme_k1_x", "started", "false", 0},
		"WrongStatus":         {api.URL, api.Key, `"it's"`, "", 1},
		"RejectedByRule":      {rejecting, api.Key, "started", "", 5},
		"RejectionNotIgnored": {rejecting, api.Key, "started", "false", 5},
		"NotListening":        {"http://" + freeAddress(t), api.Key, "started", "", 1},
		"NotListeningIgnored": {"http://" + freeAddress(t), api.Key, "started", "false", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCheckout(t, test.url, test.key, "VERSIONER_PRODUCT=p", "VERSIONER_VERSION=1", "VERSIONER_ENVIRONMENT=e")
			stdout, _ := c.sh(t, "status=0; sh ci/versioner-event.sh \"$STATUS\" || status=$?; echo \"exit $status\"",
				"VERSIONER_FAIL_ON_API_ERROR="+test.fail, "STATUS="+test.status)
			require.Contains(t, stdout, fmt.Sprintf("exit %d\n", test.exit))
			require.NotContains(t, stdout, api.Key)
		})
	}
}

// TestEventScriptEscapesTexts sends texts with the special characters of shells and JSON, with every shell on the machine.
func TestEventScriptEscapesTexts(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	text := "a \\ b \\\" c \\n 'd' \"e\" `touch owned` $(touch owned) ${h} %s %d & | ; é 日本語 🚀 \t\n\x01end"
	stored := strings.NewReplacer("\t", "", "\n", "", "\x01", "").Replace(text)
	for i, shell := range []string{"sh", "bash", "dash", "busybox sh", "zsh"} {
		if _, err := exec.LookPath(strings.Fields(shell)[0]); err != nil {
			t.Logf("no %s on this machine", shell)
			continue
		}
		version := strconv.Itoa(i)
		c := newCheckout(t, api.URL, api.Key, "VERSIONER_PRODUCT="+text, "VERSIONER_VERSION="+version, "VERSIONER_ENVIRONMENT="+text,
			"VERSIONER_SCM_BRANCH="+text, "VERSIONER_DEPLOYED_BY="+text)
		_, err := c.sh(t, shell+" ci/versioner-event.sh completed")
		require.NoError(t, err, shell)
		require.NoFileExists(t, filepath.Join(c.dir, "owned"))
		recorded := items(t, api.URL+"/deployments/?version="+version, api.Token(t, testapi.Account, "viewer"))
		require.Len(t, recorded, 1)
		for _, field := range []string{"product_name", "environment_name", "scm_branch", "deployed_by"} {
			require.Equal(t, stored, recorded[0][field], "%s with %s", field, shell)
		}
		require.Nil(t, recorded[0]["invoke_id"], "empty variables are omitted")
	}
}

// TestEventScriptHidesTheKey reads the command lines of the machine's processes while the script waits for a response.
func TestEventScriptHidesTheKey(t *testing.T) {
	t.Parallel()
	received, release := make(chan struct{}), make(chan struct{})
	slow := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(received)
		<-release
		w.WriteHeader(http.StatusOK)
	})
	const key = "sk_acme_k1_ThisMustNotBeVisibleInTheProcessList"
	c := newCheckout(t, slow, key, "VERSIONER_PRODUCT=p", "VERSIONER_VERSION=1", "VERSIONER_ENVIRONMENT=e")
	finished := make(chan error, 1)
	respond := sync.OnceFunc(func() { close(release) })
	defer respond()
	go func() {
		_, err := c.sh(t, "sh ci/versioner-event.sh started")
		finished <- err
	}()
	select {
	case <-received:
	case <-time.After(startTimeout):
		require.Fail(t, "no request")
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	curls := 0
	for _, file := range files {
		text, _ := os.ReadFile(file)
		require.NotContains(t, string(text), key)
		if strings.Contains(string(text), "curl\x00") && strings.Contains(string(text), slow) {
			curls++
		}
	}
	if len(files) > 0 {
		require.Equal(t, 1, curls)
	}
	respond()
	require.NoError(t, <-finished)
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
