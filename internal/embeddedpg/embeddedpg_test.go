package embeddedpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// holdDir makes this binary a process that holds a data directory until it is killed.
const holdDir = "VERSIONER_TEST_HOLD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdDir); dir != "" {
		if _, err := Start(context.Background(), testConfig(dir)); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println("holding")
		select {}
	}
	os.Exit(m.Run())
}

func testConfig(dir string) Config {
	return Config{Dir: dir, Logger: slog.New(slog.DiscardHandler), Settings: map[string]string{"fsync": "off"}}
}

// dataDir returns a directory that PostgreSQL's user can traverse, unlike t.TempDir.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "versioner-embedded-") //nolint:usetesting // t.TempDir is closed to PostgreSQL's user
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, "data")
}

func start(t *testing.T, config Config) *Server {
	t.Helper()
	e, err := Start(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Stop(context.Background()) })
	return e
}

func query[T any](t *testing.T, dsn, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	var value T
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&value), sql)
	return value
}

// hold runs another process that holds the directory, and returns it once it does.
func hold(t *testing.T, binary, dir string, credential *syscall.Credential, environment ...string) *exec.Cmd {
	t.Helper()
	command := exec.Command(binary)
	command.Env = append(append(os.Environ(), environment...), holdDir+"="+dir)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	command.Dir = "/"
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		require.NoError(t, err)
	}
	require.Equal(t, "holding\n", line)
	return command
}

func postmasterPID(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pgdata", "postmaster.pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	require.NoError(t, err)
	return pid
}

func TestDataSurvivesRestart(t *testing.T) {
	t.Parallel()
	config := testConfig(dataDir(t))
	e := start(t, config)
	query[int](t, e.DSN(), "WITH made AS (SELECT 1) SELECT 1 FROM made")
	require.Equal(t, 1, query[int](t, e.DSN(), "SELECT 1"))
	conn, err := pgx.Connect(t.Context(), e.DSN())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 7 AS n")
	require.NoError(t, err)
	pid := postmasterPID(t, config.Dir)
	require.NoError(t, e.Stop(t.Context()), "stopping with an open connection")
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "a process is left")

	again := start(t, config)
	require.Equal(t, 7, query[int](t, again.DSN(), "SELECT n FROM kept"))
	require.Equal(t, "UTF8", query[string](t, again.DSN(), "SHOW server_encoding"))
	require.Equal(t, "on", query[string](t, again.DSN(), "SHOW data_checksums"))
	require.Empty(t, query[string](t, again.DSN(), "SHOW listen_addresses"), "it listens on the network")
}

func TestRejectsSecondHolder(t *testing.T) {
	t.Parallel()
	config := testConfig(dataDir(t))
	holder := hold(t, os.Args[0], config.Dir, nil)
	_, err := Start(t.Context(), config)
	var inUse *InUseError
	require.ErrorAs(t, err, &inUse)
	require.Contains(t, err.Error(), fmt.Sprintf("process %d since 20", holder.Process.Pid))

	dsn, release, err := Attach(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, 1, query[int](t, dsn, "SELECT 1"))
	require.NoError(t, release(t.Context()))
	require.Equal(t, 1, query[int](t, dsn, "SELECT 1"), "release must not stop the holder")
	require.NoError(t, holder.Process.Kill())
	_ = holder.Wait()
	require.NoError(t, stopOrphan(t.Context(), filepath.Join(config.Dir, "pgdata")))
}

func TestAttachStartsAndStops(t *testing.T) {
	t.Parallel()
	config := testConfig(dataDir(t))
	dsn, release, err := Attach(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, 1, query[int](t, dsn, "SELECT 1"))
	require.NoError(t, release(t.Context()))
	_, err = pgx.Connect(t.Context(), dsn)
	require.Error(t, err)
}

// TestEmptyEnvironment reads the environment of PostgreSQL, which COPY FROM PROGRAM inherits.
func TestEmptyEnvironment(t *testing.T) {
	t.Parallel()
	config := testConfig(dataDir(t))
	holder := hold(t, os.Args[0], config.Dir, nil, "PGDATA=/nonexistent", "LD_LIBRARY_PATH=/nonexistent", "VERSIONER_KEY_PEPPER=secret-pepper")
	conn, err := pgx.Connect(t.Context(), newLayout(config.Dir).dsn(embeddedDatabase))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TEMP TABLE environment (line text); COPY environment FROM PROGRAM 'env | cut -d= -f1'", pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	var names string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT string_agg(line, ' ' ORDER BY line) FROM environment").Scan(&names))
	require.NoError(t, conn.Close(t.Context()))
	require.Contains(t, names, "PATH")
	for _, name := range []string{"PGDATA ", "LD_LIBRARY_PATH", "VERSIONER", "HOME"} {
		require.NotContains(t, names+" ", name)
	}
	require.NoError(t, holder.Process.Kill())
	_ = holder.Wait()
	require.NoError(t, stopOrphan(t.Context(), filepath.Join(config.Dir, "pgdata")))
}

func TestRestart(t *testing.T) {
	t.Parallel()
	config := testConfig(dataDir(t))
	s := start(t, config)
	before := postmasterPID(t, config.Dir)
	s.Restart(t.Context())
	require.Eventually(t, func() bool {
		conn, err := pgx.Connect(t.Context(), s.DSN())
		if err != nil {
			return false
		}
		_ = conn.Close(t.Context())
		return postmasterPID(t, config.Dir) != before
	}, 30*time.Second, 20*time.Millisecond)
}

func TestRecoversFromKill(t *testing.T) {
	t.Parallel()
	config := testConfig(dataDir(t))
	holder := hold(t, os.Args[0], config.Dir, nil)
	dsn := newLayout(config.Dir).dsn(embeddedDatabase)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 7 AS n")
	require.NoError(t, err)
	require.NoError(t, holder.Process.Kill())
	_ = holder.Wait()
	orphan := postmasterPID(t, config.Dir)
	require.NoError(t, syscall.Kill(orphan, 0), "the orphan runs")

	e := start(t, config)
	require.Equal(t, 7, query[int](t, e.DSN(), "SELECT n FROM kept"))
	require.NotEqual(t, orphan, postmasterPID(t, config.Dir))
	require.ErrorIs(t, syscall.Kill(orphan, 0), syscall.ESRCH)
}

func TestRemovesStalePIDFile(t *testing.T) {
	t.Parallel()
	config := testConfig(dataDir(t))
	e := start(t, config)
	require.NoError(t, e.Stop(t.Context()))
	bystander := exec.Command("sleep", "60")
	require.NoError(t, bystander.Start())
	t.Cleanup(func() { _ = bystander.Process.Kill(); _ = bystander.Wait() })
	for _, pid := range []string{strconv.Itoa(bystander.Process.Pid), "999999999", "nonsense", ""} {
		require.NoError(t, os.WriteFile(filepath.Join(config.Dir, "pgdata", "postmaster.pid"), []byte(pid+"\n"), 0o600))
		again := start(t, config)
		require.NoError(t, again.Stop(t.Context()))
	}
	require.NoError(t, bystander.Process.Signal(syscall.Signal(0)), "it still runs")
}

func TestReplacesPartialCluster(t *testing.T) {
	t.Parallel()
	config := testConfig(dataDir(t))
	for _, name := range []string{"pgdata", "pgdata.new"} {
		require.NoError(t, os.MkdirAll(filepath.Join(config.Dir, name, "base"), 0o755))
	}
	e := start(t, config)
	require.Equal(t, 1, query[int](t, e.DSN(), "SELECT 1"))
}

func TestRestartsAfterCrash(t *testing.T) {
	t.Parallel()
	config := testConfig(dataDir(t))
	e := start(t, config)
	for range 2 {
		killed := postmasterPID(t, config.Dir)
		require.NoError(t, syscall.Kill(killed, syscall.SIGKILL))
		require.Eventually(t, func() bool {
			conn, err := pgx.Connect(t.Context(), e.DSN())
			if err != nil {
				return false
			}
			_ = conn.Close(t.Context())
			return postmasterPID(t, config.Dir) != killed
		}, 30*time.Second, 20*time.Millisecond)
	}
}

func TestLongDirectoryName(t *testing.T) {
	t.Parallel()
	config := testConfig(filepath.Join(dataDir(t), strings.Repeat("long ", 20), "it's"))
	e := start(t, config)
	require.Equal(t, 1, query[int](t, e.DSN(), "SELECT 1"))
	require.NotContains(t, e.layout.sockets, config.Dir)
	t.Cleanup(func() { _ = os.RemoveAll(e.layout.sockets) })
}

func TestRejectsForeignSocketDirectory(t *testing.T) {
	t.Parallel()
	config := testConfig(dataDir(t))
	require.NoError(t, os.MkdirAll(filepath.Join(config.Dir, "run"), 0o755))
	_, err := Start(t.Context(), config)
	require.ErrorContains(t, err, "remove it")
}

func TestReportsUntraversableDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs PostgreSQL as another user")
	}
	closed := filepath.Join(dataDir(t), "closed")
	require.NoError(t, os.MkdirAll(closed, 0o700))
	_, err := Start(t.Context(), testConfig(filepath.Join(closed, "data")))
	require.ErrorContains(t, err, "may not enter "+closed+":")
}

func TestAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("the other tests are run by an ordinary user already")
	}
	unprivileged, err := findRunAsUser()
	require.NoError(t, err)
	dir := dataDir(t)
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chown(dir, int(unprivileged.uid), int(unprivileged.gid)))
	binary, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	copied := dir + ".test"
	require.NoError(t, os.WriteFile(copied, binary, 0o755))
	holder := hold(t, copied, dir, &syscall.Credential{Uid: unprivileged.uid, Gid: unprivileged.gid})
	require.Equal(t, 1, query[int](t, newLayout(dir).dsn(embeddedDatabase), "SELECT 1"))
	require.NoError(t, holder.Process.Kill())
	_ = holder.Wait()
	require.NoError(t, stopOrphan(t.Context(), filepath.Join(dir, "pgdata")))
}

// TestDownloadsBinaries downloads some ten megabytes, so it runs only on request.
func TestDownloadsBinaries(t *testing.T) {
	t.Parallel()
	if os.Getenv("VERSIONER_TEST_FETCH") == "" {
		t.Skip("set VERSIONER_TEST_FETCH=1 to fetch a PostgreSQL")
	}
	config := testConfig(dataDir(t))
	config.noBinaries = true
	e := start(t, config)
	require.GreaterOrEqual(t, query[int](t, e.DSN(), "SELECT current_setting('server_version_num')::int"), downloadMajor*10000)
	require.NoError(t, e.Stop(t.Context()))
	begin := time.Now()
	again := start(t, config)
	require.Equal(t, 1, query[int](t, again.DSN(), "SELECT 1"))
	t.Logf("started again from what was kept in %v", time.Since(begin))
}
