package doctest_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/versioner-io/versioner/internal/testapi"
)

const (
	commit = "9fceb02d0ae598e95dc970b74767f19372d61af8"
	branch = `feature/it's-"quoted"-$(touch${IFS}owned)` // git permits all of it
)

// system is a CI system, as far as the steps of its page need it.
type system struct {
	name string            // source_system
	env  map[string]string // what it sets for every job
	run  func(*job, block) // does what it does with the text of a page
	want map[string]any    // of the deployment that is recorded
	node string            // a script beside the page's pipeline
	// client is what else the published command line client leaves out, or finds otherwise.
	client map[string]any
}

// job is one run of a page's pipeline.
type job struct {
	*testing.T

	system system
	env    map[string]string
	dir    string
	fails  bool   // the deployment
	result string // of the whole: success or failure
}

// deployScript stands for the reader's own.
const deployScript = "#!/bin/sh\necho deployed >> deployed.txt\nexit ${DEPLOY_EXIT_CODE:-0}\n"

// testCI runs every pipeline of a page twice, with a deployment that succeeds and with one that fails, and once more with a
// Versioner that refuses the first event; and reads what the server has recorded.
func testCI(described func() system) func(*testing.T, *guide) {
	return func(t *testing.T, g *guide) {
		t.Helper()
		api := testapi.New(t)
		for _, b := range g.take(t, "yaml", "groovy") {
			t.Run(b.heading, func(t *testing.T) {
				t.Parallel()
				tryPipeline(t, api, described(), b)
			})
		}
	}
}

// tryPipeline runs it in accounts of its own.
func tryPipeline(t *testing.T, api *testapi.API, ci system, b block) {
	t.Helper()
	for name, fails := range map[string]bool{"Succeeds": false, "Fails": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireOneDeployment(t, api, fmt.Sprintf("%s-%d", strings.ToLower(name), b.line), ci, b, fails)
		})
	}
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		requireNothingDeployed(t, ci, b)
	})
}

func requireOneDeployment(t *testing.T, api *testapi.API, account string, ci system, b block, fails bool) {
	t.Helper()
	j := newJob(t, ci, api.URL, api.NewKey(t, account))
	j.fails = fails
	ci.run(j, b)
	require.Equal(t, 1, j.countDeployments())
	require.NoFileExists(t, filepath.Join(j.dir, "owned"), "the name of a branch became a command")

	status, result := "completed", "success"
	if fails {
		status, result = "failed", "failure"
	}
	require.Equal(t, result, j.result)
	recorded := items(t, api.URL+"/deployments/?"+url.Values{"product": {"checkout"}}.Encode(), api.Token(t, account, "viewer"))
	require.Len(t, recorded, 1, "started and %s are one deployment", status)
	want := map[string]any{
		"product_name": "checkout", "environment_name": "production", "environment_type": "production", "status": status, "source_system": ci.name,
	}
	maps.Copy(want, ci.want)
	if isClient(b) {
		maps.Copy(want, ci.client)
	}
	for field, value := range want {
		require.Equal(t, value, recorded[0][field], "%s of %v", field, recorded[0])
	}
	require.NotNil(t, recorded[0]["started_at"], "started was heard")
	require.NotNil(t, recorded[0]["completed_at"])
	var events int
	api.Scan(t, "SELECT count(*) FROM events JOIN accounts ON accounts.id = account_id WHERE slug = '"+account+"'", &events)
	require.Equal(t, 2, events)
}

// requireNothingDeployed has Versioner refuse the first event: nothing may be deployed, the pipeline fails, and nothing is
// told of a deployment that there was none of.
func requireNothingDeployed(t *testing.T, ci system, b block) {
	t.Helper()
	refusing := newRefusing(t)
	j := newJob(t, ci, refusing.URL, "sk_acme_k1_x")
	ci.run(j, b)
	require.Equal(t, "failure", j.result)
	require.Zero(t, j.countDeployments())
	require.Equal(t, []string{"started"}, refusing.statuses())
}

// isClient tells whether the steps use one of the published clients.
func isClient(b block) bool { return !strings.Contains(b.heading, "curl") }

func newJob(t *testing.T, ci system, address, key string) *job {
	t.Helper()
	j := &job{T: t, system: ci, env: maps.Clone(ci.env), dir: t.TempDir(), result: "success"}
	script, err := os.ReadFile(filepath.Join(root, "docs", "examples", "versioner-event.sh"))
	require.NoError(t, err)
	j.write("ci/versioner-event.sh", string(script))
	j.write("deploy.sh", deployScript)
	j.env["VERSIONER_API_URL"], j.env["VERSIONER_API_KEY"] = address, key
	j.env["PATH"] = installClient(t) + ":" + os.Getenv("PATH")
	if ci.node != "" {
		j.installOnNode(string(script))
	}
	j.sh("git init -q . && git -c user.name='Ada Lovelace' -c user.email=ada@example.com commit -q --allow-empty -m x", nil)
	return j
}

func (j *job) write(name, text string) {
	path := filepath.Join(j.dir, name)
	require.NoError(j, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(j, os.WriteFile(path, []byte(text), 0o755))
}

func (j *job) countDeployments() int {
	text, _ := os.ReadFile(filepath.Join(j.dir, "deployed.txt"))
	return strings.Count(string(text), "deployed")
}

// sh runs a script as the CI's shell does: it ends with the first command that fails. It returns what it printed, and
// whether it succeeded.
func (j *job) sh(script string, more map[string]string) (string, bool) {
	return j.shell(script, more, "bash", "-e", "-o", "pipefail", "-c")
}

func (j *job) shell(script string, more map[string]string, shell ...string) (string, bool) {
	j.Helper()
	env := environ()
	all := maps.Clone(j.env)
	maps.Copy(all, more)
	if j.fails {
		all["DEPLOY_EXIT_CODE"] = "3"
	}
	for name, value := range all {
		env = append(env, name+"="+value)
	}
	said, err := run(j.T, env, j.dir, shell[0], append(shell[1:], script)...)
	j.Logf("%s%s", said, script)
	return said, err == nil
}

// decode reads YAML of a page and refuses what the test would not see.
func (j *job) decode(b block, into any) {
	decoder := yaml.NewDecoder(strings.NewReader(b.text))
	decoder.KnownFields(true)
	require.NoError(j, decoder.Decode(into), "line %d", b.line)
}

// expand replaces what the pattern finds by what the CI knows by that name.
func (j *job) expand(text string, pattern *regexp.Regexp, known map[string]string) string {
	return pattern.ReplaceAllStringFunc(text, func(found string) string {
		name := pattern.FindStringSubmatch(found)[1]
		value, ok := known[name]
		require.True(j, ok, "the CI knows no %s", name)
		return value
	})
}

// refusing is a Versioner whose rule allows nothing.
type refusing struct {
	URL  string
	mu   chan struct{}
	seen []string
}

func (r *refusing) statuses() []string {
	r.mu <- struct{}{}
	defer func() { <-r.mu }()
	return slices.Clone(r.seen)
}

// testAnyCI runs the lines for any CI, both ways.
func testAnyCI(t *testing.T, g *guide) {
	t.Helper()
	script := g.script(t)
	for name, fails := range map[string]bool{"Succeeds": false, "Fails": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t)
			j := newJob(t, system{env: map[string]string{}}, api.URL, api.Key)
			j.fails = fails
			_, succeeded := j.sh(script, nil)
			require.Equal(t, !fails, succeeded)
			recorded := items(t, api.URL+"/deployments/", api.Token(t, testapi.Account, "viewer"))
			require.Len(t, recorded, 1)
			require.Equal(t, map[bool]string{false: "completed", true: "failed"}[fails], recorded[0]["status"])
			require.NotNil(t, recorded[0]["started_at"])
		})
	}
	t.Run("WhenVersionerCannotBeTold", testWithoutVersioner)
	t.Run("AnyText", testAnyText)
}

// testWithoutVersioner holds the script to the table of exit statuses.
func testWithoutVersioner(t *testing.T) {
	t.Parallel()
	what := map[string]string{"VERSIONER_PRODUCT": "p", "VERSIONER_VERSION": "1", "VERSIONER_ENVIRONMENT": "e"}
	api := testapi.New(t)
	for name, one := range map[string]struct {
		url, key, status, fail string
		exit                   int
	}{
		"Recorded":        {api.URL, api.Key, "Started", "", 0},
		"TwoSlashes":      {api.URL + "/", api.Key, "started", "", 0},
		"WrongKey":        {api.URL, "sk_acme_k1_x", "started", "", 1},
		"WrongKeyGoesOn":  {api.URL, "sk_acme_k1_x", "started", "false", 0},
		"WrongWord":       {api.URL, api.Key, `"it's"`, "", 1},
		"Refused":         {newRefusing(t).URL, api.Key, "started", "", 5},
		"RefusedAlways":   {newRefusing(t).URL, api.Key, "started", "false", 5},
		"NobodyListens":   {"http://" + freeAddress(t), api.Key, "started", "", 1},
		"NobodyButGoesOn": {"http://" + freeAddress(t), api.Key, "started", "false", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, system{env: maps.Clone(what)}, one.url, one.key)
			said, _ := j.shell("status=0; sh ci/versioner-event.sh \"$STATUS\" || status=$?; echo \"exit $status\"",
				map[string]string{"VERSIONER_FAIL_ON_API_ERROR": one.fail, "STATUS": one.status}, "bash", "-c")
			require.Contains(t, said, fmt.Sprintf("exit %d\n", one.exit))
			require.NotContains(t, said, api.Key)
		})
	}
}

// testAnyText sends what would break JSON that is put together by hand, with every shell there is.
func testAnyText(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	text := "a \\ b \\\" c \\n 'd' \"e\" `f` $(g) ${h} %s %d & | ; é 日本語 🚀 \t\n\x01end"
	stored := strings.NewReplacer("\t", "", "\n", "", "\x01", "").Replace(text)
	for i, shell := range []string{"sh", "bash", "dash", "busybox sh", "zsh"} {
		words := strings.Fields(shell)
		if _, ok := lookPath(words[0]); !ok {
			t.Logf("no %s on this machine", words[0])
			continue
		}
		version := strconv.Itoa(i)
		j := newJob(t, system{env: map[string]string{
			"VERSIONER_PRODUCT": text, "VERSIONER_VERSION": version, "VERSIONER_ENVIRONMENT": text, "VERSIONER_SCM_BRANCH": text,
			"VERSIONER_DEPLOYED_BY": text,
		}}, api.URL, api.Key)
		_, succeeded := j.sh(shell+" ci/versioner-event.sh completed", nil)
		require.True(t, succeeded, shell)
		recorded := items(t, api.URL+"/deployments/?version="+version, api.Token(t, testapi.Account, "viewer"))
		require.Len(t, recorded, 1)
		for _, field := range []string{"product_name", "environment_name", "scm_branch", "deployed_by"} {
			require.Equal(t, stored, recorded[0][field], "%s with %s", field, shell)
		}
		require.Nil(t, recorded[0]["invoke_id"], "what is empty is left out")
	}
}

// TestKeyStaysSecret looks at the machine's processes while the script waits for an answer.
func TestKeyStaysSecret(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	release := make(chan struct{})
	slow := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		w.WriteHeader(http.StatusOK)
	})
	const key = "sk_acme_k1_ThisMustNotBeSeenByOthersOnTheMachine"
	j := newJob(t, system{env: map[string]string{"VERSIONER_PRODUCT": "p", "VERSIONER_VERSION": "1", "VERSIONER_ENVIRONMENT": "e"}}, slow, key)
	finished := make(chan bool, 1)
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	go func() {
		_, succeeded := j.sh("sh ci/versioner-event.sh started", nil)
		finished <- succeeded
	}()
	select {
	case <-asked:
	case <-time.After(startPatience):
		require.Fail(t, "nobody asked")
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	curls := 0
	for _, file := range lines {
		text, _ := os.ReadFile(file)
		require.NotContains(t, string(text), key)
		if strings.Contains(string(text), "curl\x00") && strings.Contains(string(text), slow) {
			curls++
		}
	}
	if len(lines) > 0 {
		require.Equal(t, 1, curls)
	}
	letGo()
	require.True(t, <-finished)
}
