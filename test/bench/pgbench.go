package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	pgbenchThreads = 2
	connectPoll    = 20 * time.Millisecond
	connectTimeout = 60 * time.Second
	minimalSQL     = "minimal.sql"
	minimalTables  = "minimal_tables.sql"
)

var errNoPgbench = errors.New("pgbench is neither on PATH nor beside PostgreSQL: install PostgreSQL's client programs")

// minimal measures the reference: a minimal transaction, sent by pgbench to its own database.
type minimal struct {
	pgbench  string
	postgres *postgresServer
	dsn      string
	dir      string // temporary files
	script   string
	event    []string // the flags that set the variables of the script
	count    int      // of runs
}

// newMinimal creates the database. The error is errNoPgbench when pgbench is not installed.
func newMinimal(ctx context.Context, postgres *postgresServer, dir string) (*minimal, error) {
	program, err := findPgbench()
	if err != nil {
		return nil, err
	}
	m := &minimal{pgbench: program, postgres: postgres, dir: dir, script: filepath.Join(dir, minimalSQL)}
	if m.dsn, err = postgres.createDatabase(ctx, "bench_minimal"); err != nil {
		return nil, err
	}
	tables, err := sqlFiles.ReadFile(minimalTables)
	if err != nil {
		return nil, fmt.Errorf("read the minimal tables: %w", err)
	}
	if err := execute(ctx, m.dsn, nil, string(tables)); err != nil {
		return nil, fmt.Errorf("create the minimal tables: %w", err)
	}
	script, err := sqlFiles.ReadFile(minimalSQL)
	if err != nil {
		return nil, fmt.Errorf("read the minimal transaction: %w", err)
	}
	if err := os.WriteFile(m.script, script, 0o600); err != nil {
		return nil, fmt.Errorf("write the minimal transaction: %w", err)
	}
	d := newTenant("", "").deploy(7, environments-1, newRunIDs().next())
	m.event = []string{
		"-D", "body=" + string(d.appendEvent(nil, "completed", time.Now())),
		"-D", "metadata=" + d.metadata("acme-industries/checkout-service-07", strconv.FormatInt(d.runID, 10)),
	}
	return m, nil
}

// findPgbench prefers the one on PATH to the newest one beside PostgreSQL.
func findPgbench() (string, error) {
	if program, err := exec.LookPath("pgbench"); err == nil {
		return program, nil
	}
	patterns := []string{"/usr/lib/postgresql/*/bin/pgbench", "/usr/pgsql-*/bin/pgbench", "/opt/homebrew/opt/postgresql@*/bin/pgbench", "/usr/local/pgsql/bin/pgbench"}
	for _, pattern := range patterns {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return slices.Max(found), nil
		}
	}
	return "", errNoPgbench
}

// measure runs pgbench with as many clients as connections and counts the transactions within a window in which all of them are
// connected.
func (m *minimal) measure(ctx context.Context, connections int, warmUp, duration time.Duration) (run, error) {
	// The duration of pgbench includes the time to connect, which grows on a busy machine.
	for slack := 500*time.Millisecond + time.Duration(connections)*6*time.Millisecond; ; slack *= 2 {
		measured, err := m.try(ctx, connections, warmUp, duration, slack)
		if !errors.Is(err, errTooShort) || slack > connectTimeout {
			return measured, err
		}
	}
}

var errTooShort = errors.New("pgbench ended before the measurement did")

func (m *minimal) try(ctx context.Context, connections int, warmUp, duration, slack time.Duration) (_ run, err error) {
	m.count++
	prefix := filepath.Join(m.dir, fmt.Sprintf("pgbench-%d", m.count))
	seconds := int(math.Ceil((warmUp + duration + slack).Seconds()))
	args := append([]string{
		"--no-vacuum", "--protocol=prepared", "--client=" + strconv.Itoa(connections), "--jobs=" + strconv.Itoa(pgbenchThreads),
		"--time=" + strconv.Itoa(seconds), "--file=" + m.script, "--log", "--log-prefix=" + prefix,
	}, m.event...)
	output := &bytes.Buffer{}
	name := fmt.Sprintf("bench_%d", m.count)
	program, err := startProcess(ctx, m.pgbench, append(args, m.dsn+" application_name="+name), withoutPostgresSettings(os.Environ()), output)
	if err != nil {
		return run{}, err
	}
	defer func() { err = errors.Join(err, m.removeLogs(prefix)) }()
	defer program.stop()
	if err := m.awaitClients(ctx, program, name, connections); err != nil {
		return run{}, err
	}
	w, err := meter{postmaster: m.postgres.postmaster, load: program.id()}.measure(ctx, warmUp, duration)
	if err != nil {
		return run{}, err
	}
	if program.hasEnded() && program.wait() == nil {
		return run{}, errTooShort
	}
	if err := program.wait(); err != nil {
		return run{}, fmt.Errorf("pgbench: %w\n%s", err, bytes.TrimSpace(output.Bytes()))
	}
	latencies, err := m.latencies(prefix, w)
	if err == nil && len(latencies) == 0 {
		err = fmt.Errorf("pgbench recorded no transaction\n%s", bytes.TrimSpace(output.Bytes()))
	}
	return newRun(w, latencies), err
}

// awaitClients waits until every client is connected, or pgbench has ended.
func (m *minimal) awaitClients(ctx context.Context, program *childProcess, name string, connections int) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, m.dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for !program.hasEnded() {
		var connected int
		err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", name).Scan(&connected)
		if err != nil {
			return fmt.Errorf("count the clients of pgbench: %w", err)
		}
		if connected >= connections {
			return nil
		}
		if err := sleep(ctx, connectPoll); err != nil {
			return fmt.Errorf("%d of %d clients of pgbench are connected: %w", connected, connections, err)
		}
	}
	return nil
}

// latencies reads the logs, one for each thread.
func (m *minimal) latencies(prefix string, w window) ([]time.Duration, error) {
	names, err := filepath.Glob(prefix + ".*")
	if err != nil {
		return nil, fmt.Errorf("find the logs of pgbench: %w", err)
	}
	var all []time.Duration
	for _, name := range names {
		file, err := os.Open(name) //nolint:gosec // in our own directory
		if err != nil {
			return nil, fmt.Errorf("read a log of pgbench: %w", err)
		}
		latencies, err := parsePgbenchLog(file, w)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
		all = append(all, latencies...)
	}
	return all, nil
}

func (m *minimal) removeLogs(prefix string) error {
	names, err := filepath.Glob(prefix + ".*")
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		return fmt.Errorf("remove the logs of pgbench: %w", err)
	}
	return nil
}

// parsePgbenchLog returns the latencies of the transactions that ended within the window. A line is: client, transaction, latency in
// microseconds, script, and the time of the end in seconds and microseconds.
func parsePgbenchLog(log io.Reader, w window) ([]time.Duration, error) {
	var latencies []time.Duration
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 {
			return nil, fmt.Errorf("read a log of pgbench: unexpected line %.80q", lines.Text())
		}
		latency, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("a transaction of pgbench failed: %.80q", lines.Text())
		}
		seconds, err := strconv.ParseInt(fields[4], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read a log of pgbench: %w", err)
		}
		micros, err := strconv.ParseInt(fields[5], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read a log of pgbench: %w", err)
		}
		if end := time.Unix(seconds, micros*1000); end.After(w.from) && !end.After(w.to) {
			latencies = append(latencies, time.Duration(latency)*time.Microsecond)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read a log of pgbench: %w", err)
	}
	return latencies, nil
}
