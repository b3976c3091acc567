// Package testredis starts a Redis or Valkey server for a test, which the test can kill and restart. The program must be installed; it
// listens on a Unix socket only.
package testredis

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

const (
	startTimeout = time.Minute
	pollInterval = 10 * time.Millisecond
)

// Server is a process of Redis or Valkey.
type Server struct {
	command []string
	dir     string
	socket  string
	process *exec.Cmd
	exited  chan struct{} // closed when the process has ended
}

// New starts a server with additional options, such as "--maxmemory", "1", and kills it at the end of the test. Without Redis and
// Valkey the test is skipped, and fails if CI is set.
func New(t *testing.T, options ...string) *Server {
	t.Helper()
	program, found := findProgram()
	if !found {
		const missing = "NO REDIS: install valkey-server or redis-server"
		if os.Getenv("CI") != "" {
			t.Fatal(missing + " (.ci/redis does it on Debian and Ubuntu); it is required if CI is set")
		}
		t.Skip("SKIPPED, " + missing)
	}
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // the path of a socket is limited to about 100 bytes
	require.NoError(t, err)
	s := &Server{dir: dir, socket: filepath.Join(dir, "redis.sock")}
	s.command = append([]string{
		program, "--port", "0", "--unixsocket", s.socket, "--save", "", "--appendonly", "no", "--dir", dir, "--logfile", "redis.log",
	}, options...)
	t.Cleanup(func() {
		s.kill()
		_ = os.RemoveAll(dir)
	})
	s.Start(t)
	return s
}

// URL returns the value of REDIS_URL for the server.
func (s *Server) URL() string { return "unix://" + s.socket }

// Client returns a client of the server, which is closed at the end of the test.
func (s *Server) Client(t *testing.T) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Kill ends the process and the connections to it. All data is lost.
func (s *Server) Kill(t *testing.T) {
	t.Helper()
	require.NotNil(t, s.process, "the server does not run")
	s.kill()
}

// Start starts the process, after Kill at the same address, and waits until it responds.
func (s *Server) Start(t *testing.T) {
	t.Helper()
	require.Nil(t, s.process, "the server runs already")
	process := exec.Command(s.command[0], s.command[1:]...)
	require.NoError(t, process.Start())
	exited := make(chan struct{})
	go func() {
		_ = process.Wait()
		close(exited)
	}()
	s.process, s.exited = process, exited

	client := s.Client(t)
	deadline := time.Now().Add(startTimeout)
	for !answers(t.Context(), client) {
		select {
		case <-exited:
			require.FailNow(t, "the server ended", "%s", s.log())
		case <-time.After(pollInterval):
			require.True(t, time.Now().Before(deadline), "the server does not answer: %s", s.log())
		}
	}
}

func (s *Server) kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	<-s.exited
	s.process = nil
}

func (s *Server) log() []byte {
	text, _ := os.ReadFile(filepath.Join(s.dir, "redis.log"))
	return text
}

// answers reports whether the server responds to a command, even with an error.
func answers(ctx context.Context, client *redis.Client) bool {
	err := client.Ping(ctx).Err()
	var answer redis.Error
	return err == nil || errors.As(err, &answer)
}

// findProgram looks in PATH, and then in the directories of distributions and of Homebrew.
func findProgram() (string, bool) {
	names := []string{"valkey-server", "redis-server"}
	candidates := slices.Clone(names)
	for _, dir := range []string{"/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"} {
		for _, name := range names {
			candidates = append(candidates, filepath.Join(dir, name))
		}
	}
	for _, candidate := range candidates {
		if program, err := exec.LookPath(candidate); err == nil {
			return program, true
		}
	}
	return "", false
}
