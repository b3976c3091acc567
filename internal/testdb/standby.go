package testdb

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// Standby is a streaming standby of a PostgreSQL of its own.
type Standby struct {
	PrimaryDSN string
	DSN        string

	config embeddedpg.Config
	server *embeddedpg.Server
}

// NewStandby starts a PostgreSQL without a schema and a standby of it, until the end of the test. It needs pg_basebackup of the same
// version: without one the test is skipped, and fails if CI is set.
func NewStandby(t *testing.T) *Standby {
	t.Helper()
	primaryDir, dir := newServerDir(t), newServerDir(t)
	primary, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: primaryDir, Logger: slog.New(slog.DiscardHandler)})
	if maySkip(err) {
		t.Skipf("SKIPPED, NO DATABASE: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = primary.Stop(context.Background()) })
	program, err := findBaseBackup(primary.Binaries())
	if err != nil {
		require.Empty(t, os.Getenv("CI"), "pg_basebackup is not installed; .ci/guides installs it")
		t.Skip("SKIPPED, NO pg_basebackup: .ci/guides installs it")
	}
	data := filepath.Join(dir, "pgdata")
	output, err := exec.CommandContext(t.Context(), program, "--pgdata", data, "--write-recovery-conf", "--checkpoint", "fast", "--dbname", primary.DSN()).CombinedOutput()
	require.NoError(t, err, "%s", output)
	owner, err := os.Stat(filepath.Join(primaryDir, "pgdata"))
	require.NoError(t, err)
	if stat, ok := owner.Sys().(*syscall.Stat_t); ok {
		require.NoError(t, filepath.WalkDir(data, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, int(stat.Uid), int(stat.Gid))
		}))
	}
	s := &Standby{PrimaryDSN: primary.DSN(), config: embeddedpg.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)}}
	t.Cleanup(func() { s.Stop(t) })
	s.Start(t)
	return s
}

// findBaseBackup returns pg_basebackup beside the server's program, where a link to it may point, or else in PATH.
func findBaseBackup(binaries string) (string, error) {
	const name = "pg_basebackup"
	server, err := filepath.EvalSymlinks(filepath.Join(binaries, "postgres"))
	if err != nil {
		return "", err
	}
	if program, err := exec.LookPath(filepath.Join(filepath.Dir(server), name)); err == nil {
		return program, nil
	}
	return exec.LookPath(name)
}

// Start starts the standby after Stop.
func (s *Standby) Start(t *testing.T) {
	t.Helper()
	server, err := embeddedpg.Start(t.Context(), s.config)
	require.NoError(t, err)
	s.server, s.DSN = server, server.DSN()
}

// Stop stops the standby.
func (s *Standby) Stop(t *testing.T) {
	t.Helper()
	if s.server != nil {
		require.NoError(t, s.server.Stop(context.Background()))
		s.server = nil
	}
}

// newServerDir returns a directory that the user of PostgreSQL can traverse.
func newServerDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // t.TempDir is closed to PostgreSQL's user, and its path too long for a socket
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
