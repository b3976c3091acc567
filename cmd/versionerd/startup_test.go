package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// TestOldSchema starts on a data directory from before the baseline migration.
func TestOldSchema(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	database, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	conn, err := pgx.Connect(t.Context(), database.DSN())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE instance (id int); CREATE TABLE goose_db_version (id int)")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	require.NoError(t, database.Stop(t.Context()))
	for _, args := range [][]string{{"dev"}, {"serve"}, {"worker"}, {"demo"}, {"keys", "list", "--account", "acme"}} {
		stdout, stderr, err := call(t, environment(dir), args...)
		require.Error(t, err, args)
		require.Empty(t, stdout, args)
		require.Equal(t, databaseLine(args, dir)+"versionerd: the database was created by a development version before 0.1, whose schema cannot be upgraded: "+
			"start with an empty data directory or database\n", stderr, args)
	}
}

// databaseLine is what short commands print first.
func databaseLine(args []string, dir string) string {
	if args[0] == "demo" || args[0] == "keys" {
		return "Database: " + dir + " (no server is running there)\n"
	}
	return ""
}

// TestCommandsNameTheirDatabase runs a command beside a server, with its data directory and with another one.
func TestCommandsNameTheirDatabase(t *testing.T) {
	t.Parallel()
	dir, other := newDataDir(t), newDataDir(t)
	server := launch(t, environment(dir), "dev")
	_, stderr, err := call(t, environment(dir), "keys", "list", "--account", "demo")
	require.NoError(t, err, stderr)
	require.Contains(t, stderr, fmt.Sprintf("Database: %s (in use by process %d since ", dir, server.command.Process.Pid))
	_, stderr, err = call(t, environment(other), "keys", "list", "--account", "demo")
	require.Error(t, err)
	require.Contains(t, stderr, "Database: "+other+" (no server is running there)\n")
	require.Contains(t, server.stdout.String(), "--data-dir '"+dir+"'", "the server prints what other commands need")
	server.stop(t)
}

// TestKeysDuringFirstStart creates a key while the server creates its cluster.
func TestKeysDuringFirstStart(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	server := start(t, environment(dir), "serve")
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "holder")); return err == nil }, time.Minute, time.Millisecond)
	require.NoFileExists(t, filepath.Join(dir, "pgdata", "PG_VERSION"), "the cluster does not exist yet")
	key, stderr, err := call(t, environment(dir), "keys", "create", "--account", "acme", "--name", "ci")
	require.NoError(t, err, stderr)
	server.awaitListening(t)
	status, body := post(server.url, strings.TrimSpace(key), someEvent())
	require.Equal(t, http.StatusOK, status, "%s", body)
	server.stop(t)
}

// TestSecondSignal interrupts a server twice while a request keeps its shutdown waiting.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	server := launch(t, environment(dir), "dev")
	text, err := os.ReadFile(filepath.Join(dir, "pgdata", "postmaster.pid"))
	require.NoError(t, err)
	var postmaster int
	_, err = fmt.Sscan(string(text), &postmaster)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /deployment-events/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		keyPattern.FindString(server.stdout.String()))
	require.NoError(t, err)

	require.NoError(t, server.command.Process.Signal(os.Interrupt))
	require.Eventually(t, func() bool { return strings.Contains(server.stderr.String(), "shutting down") }, 10*time.Second, time.Millisecond)
	require.NoError(t, server.command.Process.Signal(os.Interrupt))
	select {
	case <-server.exited:
	case <-time.After(5 * time.Second):
		require.Fail(t, "the second signal does not end the program")
	}
	require.Equal(t, exitAborted, server.command.ProcessState.ExitCode(), "%s", server.stderr)
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(postmaster, 0), syscall.ESRCH) }, 5*time.Second, 10*time.Millisecond, "PostgreSQL is left running")
}

// TestRedisUnavailable starts a server whose Redis is away: it serves, and everything that it logs is JSON.
func TestRedisUnavailable(t *testing.T) {
	t.Parallel()
	server := launch(t, environment(newDataDir(t), "REDIS_URL=redis://127.0.0.1:1/0", "VERSIONER_LOG_LEVEL=debug"), "serve")
	require.Eventually(t, func() bool {
		return strings.Contains(server.stderr.String(), "redis unavailable, using local rate limits")
	}, 10*time.Second, 10*time.Millisecond)
	server.stop(t)
	for line := range strings.Lines(server.stderr.String()) {
		require.True(t, json.Valid([]byte(line)), line)
	}
}

// TestForeignEnvironment starts the embedded PostgreSQL among variables that would break its client or server.
func TestForeignEnvironment(t *testing.T) {
	t.Parallel()
	server := launch(t, environment(newDataDir(t), "PGOPTIONS=-c nonsense=1", "PGSERVICE=nonsense", "PGDATA=/nonexistent", "PGPORT=1", "LC_ALL=xx_XX"), "dev")
	status, body := post(server.url, keyPattern.FindString(server.stdout.String()), someEvent())
	require.Equal(t, http.StatusOK, status, "%s", body)
	server.stop(t)
}
