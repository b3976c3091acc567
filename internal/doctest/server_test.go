package doctest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

const (
	startTimeout    = time.Minute
	stopTimeout     = 30 * time.Second
	responseTimeout = 30 * time.Second
	poll            = 20 * time.Millisecond
)

// built builds the program once and returns its path. TestGuides sets the directory.
//
//nolint:gochecknoglobals // the tests of a package share one program
var built func() (string, error)

func buildInto(dir string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		program := filepath.Join(dir, "versionerd")
		build := exec.Command("go", "build", "-o", program, "./cmd/versionerd")
		build.Dir = root
		if output, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, output)
		}
		return program, nil
	})
}

// newDir returns a directory that the user of PostgreSQL can traverse, and stops servers that run there at the end of the test.
func newDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "versioner-guides-") //nolint:usetesting // t.TempDir is closed to PostgreSQL's user
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		postmasters, _ := filepath.Glob(filepath.Join(dir, "*", "pgdata", "postmaster.pid"))
		for _, file := range postmasters {
			text, _ := os.ReadFile(file)
			pid, err := readPID(string(text))
			if err == nil {
				_ = syscall.Kill(pid, syscall.SIGQUIT)
			}
		}
		require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, stopTimeout, poll)
	})
	return dir
}

func readPID(text string) (pid int, err error) {
	line, _, _ := strings.Cut(text, "\n")
	err = json.Unmarshal([]byte(line), &pid)
	return pid, err
}

// freeAddress returns an unused address below the range of ephemeral ports: a client that connects to an unused ephemeral port may
// connect to itself.
func freeAddress(t *testing.T) string {
	t.Helper()
	const lowest, ports = 12000, 20000
	for range ports {
		address := "127.0.0.1:" + strconv.Itoa(lowest+rand.IntN(ports))
		if listener, err := net.Listen("tcp", address); err == nil {
			require.NoError(t, listener.Close())
			return address
		}
	}
	require.Fail(t, "no free port")
	return ""
}

// environ returns the environment of this process without the variables of servers and clients, and with more.
func environ(more ...string) []string {
	var kept []string
	for _, entry := range os.Environ() {
		switch name, _, _ := strings.Cut(entry, "="); {
		case strings.HasPrefix(name, "VERSIONER_"), name == "DATABASE_URL", name == "REDIS_URL", name == "CI", strings.HasPrefix(name, "GITHUB_"):
		default:
			kept = append(kept, entry)
		}
	}
	return append(kept, more...)
}

// start runs a command in its own process group, and interrupts it at the end of the test.
func start(t *testing.T, env []string, dir, name string, args ...string) *testapi.Logs {
	t.Helper()
	output := &testapi.Logs{}
	command := exec.Command(name, args...)
	command.Env, command.Dir, command.Stdout, command.Stderr = env, dir, output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.WaitDelay = stopTimeout
	require.NoError(t, command.Start())
	exited := make(chan struct{})
	go func() { _ = command.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGINT)
		select {
		case <-exited:
		case <-time.After(stopTimeout):
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
			<-exited
		}
	})
	return output
}

// awaitReady waits until a server is ready.
func awaitReady(t *testing.T, url string, output *testapi.Logs) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, _ := send(t, http.MethodGet, url+"/health/ready", "", "")
		return status == http.StatusOK
	}, startTimeout, poll, "%s", output)
}

// server is a running versionerd.
type server struct {
	url    string
	dir    string   // with bin/versionerd, like a clone of the repository after make build
	env    []string // for commands
	output *testapi.Logs
}

// develop runs `versionerd dev`.
func develop(t *testing.T, settings ...string) *server {
	t.Helper()
	s := newClone(t, settings...)
	s.output = start(t, s.env, s.dir, "bin/versionerd", "dev")
	awaitReady(t, s.url, s.output)
	return s
}

// newClone returns a directory like a clone after `make build`, with an environment for its own server.
func newClone(t *testing.T, settings ...string) *server {
	t.Helper()
	program, err := built()
	require.NoError(t, err)
	address := freeAddress(t)
	s := &server{url: "http://" + address, dir: newDir(t)}
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "bin"), 0o755))
	require.NoError(t, os.Symlink(program, filepath.Join(s.dir, "bin", "versionerd")))
	s.env = environ(append([]string{
		"VERSIONER_DATA_DIR=" + filepath.Join(s.dir, "data"), "VERSIONER_ADDR=" + address, "VERSIONER_DRAIN_DELAY=0s",
		"PATH=" + filepath.Join(s.dir, "bin") + ":" + os.Getenv("PATH"),
	}, settings...)...)
	return s
}

// withURL replaces the address of the guides by that of the server.
func (s *server) withURL(text string) string {
	return strings.NewReplacer("http://127.0.0.1:8080", s.url, "https://versioner.example.com", s.url).Replace(text)
}

// shell runs a script up to the first command that fails, and returns its output.
func (s *server) shell(t *testing.T, script string) string {
	t.Helper()
	stdout, err := s.try(t, script)
	require.NoError(t, err, "%s\n%s\n%s", script, stdout, s.output)
	return stdout
}

func (s *server) try(t *testing.T, script string) (string, error) {
	t.Helper()
	return run(t, s.env, s.dir, "bash", "-euo", "pipefail", "-c", s.withURL(script))
}

// run runs a command and returns its standard output.
func run(t *testing.T, env []string, dir, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	command.Env, command.Dir, command.Stdout, command.Stderr = env, dir, &stdout, &stderr
	err := command.Run()
	t.Logf("%s", stderr.String())
	return stdout.String(), err
}

// token returns a session token of an admin of the account.
func (s *server) token(t *testing.T, account string) string {
	t.Helper()
	return strings.TrimSpace(s.shell(t, "bin/versionerd token --account "+account+" --role admin"))
}

// send sends a request and returns the response, status 0 without one.
func send(t *testing.T, method, url, credential, body string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), responseTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	require.NoError(t, err)
	if credential != "" {
		request.Header.Set("Authorization", "Bearer "+credential)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(answer)
}

// items returns the items of a list.
func items(t *testing.T, url, credential string) []map[string]any {
	t.Helper()
	status, body := send(t, http.MethodGet, url, credential, "")
	require.Equal(t, http.StatusOK, status, "%s", body)
	var page struct {
		Items []map[string]any `json:"items"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	return page.Items
}

// needs returns the path of a program. Without it the test is skipped, and fails if CI is set, where .ci/guides installs it.
func needs(t *testing.T, program string, elsewhere ...string) string {
	t.Helper()
	for _, candidate := range append(elsewhere, program) {
		if found, err := exec.LookPath(candidate); err == nil {
			return found
		}
	}
	require.Empty(t, os.Getenv("CI"), "%s is not installed; .ci/guides installs it", program)
	t.Skipf("SKIPPED: %s is not installed; .ci/guides installs it", program)
	return ""
}
