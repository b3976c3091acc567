package main

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// inspector is a connection of a test to the database of servers.
type inspector struct {
	*pgx.Conn

	t   *testing.T
	dsn string
}

func (g *governedServers) connect(t *testing.T) inspector {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), g.dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return inspector{conn, t, g.dsn}
}

// kill kills the first server.
func (g *governedServers) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, g.servers[0].command.Process.Kill())
	<-g.servers[0].exited
}

func (i inspector) count(sql string) (n int) {
	i.t.Helper()
	require.NoError(i.t, i.QueryRow(i.t.Context(), sql).Scan(&n))
	return n
}

func (i inspector) exec(statements ...string) {
	i.t.Helper()
	for _, statement := range statements {
		_, err := i.Exec(i.t.Context(), statement)
		require.NoError(i.t, err)
	}
}

// holdCommits makes commits wait for a standby that does not exist, after they are written and before others see them.
func (i inspector) holdCommits() {
	i.t.Helper()
	i.exec("ALTER SYSTEM SET synchronous_standby_names = 'absent'", "SELECT pg_reload_conf()")
	for attempt, isHeld := 0, false; !isHeld; attempt++ {
		require.Less(i.t, attempt, 100, "commits do not wait")
		isHeld = i.isCommitHeld()
	}
}

func (i inspector) isCommitHeld() bool {
	ctx, cancel := context.WithTimeout(i.t.Context(), 500*time.Millisecond)
	defer cancel()
	probe, err := pgx.Connect(i.t.Context(), i.dsn)
	require.NoError(i.t, err)
	defer func() { _ = probe.Close(context.Background()) }()
	_, err = probe.Exec(ctx, "COMMENT ON SCHEMA public IS 'probe'")
	return err != nil
}

// awaitHeldCommit waits until a commit is held that has written to a table.
func (i inspector) awaitHeldCommit(table string) {
	i.t.Helper()
	require.Eventually(i.t, func() bool { return i.holdsCommitOf(table) }, 20*time.Second, 5*time.Millisecond, "nothing is committed to %s", table)
}

// holdsCommitOf reports whether a commit is held that has written to a table.
func (i inspector) holdsCommitOf(table string) bool {
	i.t.Helper()
	return i.count(`SELECT count(*) FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid
		WHERE a.wait_event = 'SyncRep' AND l.relation = '`+table+`'::regclass AND l.mode = 'RowExclusiveLock'`) > 0
}

func (i inspector) releaseCommits() {
	i.t.Helper()
	i.exec("ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")
}
