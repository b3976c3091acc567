// Package testoidc runs a third-party OpenID Connect provider for a test.
package testoidc

import (
	"bufio"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Provider is an identity provider at an address of its own.
type Provider struct {
	Issuer string
	port   string
}

// New returns a provider that is not started. It skips the test where there is no npm to install one with, except in CI.
func New(t *testing.T) Provider {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil && os.Getenv("CI") == "" {
		t.Skip("SKIPPED: there is no npm to install an identity provider with")
	}
	install(t)
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return Provider{Issuer: "http://" + address, port: port}
}

func dir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "provider")
}

// install installs the provider once, also when several test processes need it.
func install(t *testing.T) {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(dir(), "package.json"), os.O_RDWR, 0)
	require.NoError(t, err)
	defer func() { _ = lock.Close() }()
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	if _, err := os.Stat(filepath.Join(dir(), "node_modules", ".package-lock.json")); err == nil {
		return
	}
	command := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	command.Dir = dir()
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// Start starts the provider with a new signing key of that identifier. Browsers may be sent back to redirectURI.
func (p Provider) Start(t *testing.T, keyID, redirectURI string) (stop func()) {
	t.Helper()
	command := exec.Command("node", "provider.mjs", p.port, keyID, redirectURI) //nolint:gosec,noctx // constant arguments; stop ends it
	command.Dir = dir()
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	stop = func() { _ = command.Process.Kill(); _ = command.Wait() }
	t.Cleanup(stop)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if lines.Text() == "listening" {
			return stop
		}
	}
	require.Fail(t, "the identity provider does not start")
	return nil
}

// Set changes what the provider claims of its user (org_role, org_id or sub). refuse=1 makes it refuse to renew sessions, and decline=1
// to sign in.
func (p Provider) Set(t *testing.T, values url.Values) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Issuer+"/control?"+values.Encode(), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNoContent, response.StatusCode)
}
