package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// sqlFiles holds the minimal transaction, its tables and fill.sql.
//
//go:embed *.sql
var sqlFiles embed.FS

// maxConnections leaves room for pgbench with 256 clients beside the servers.
const maxConnections = "400"

// postgresServer is a managed PostgreSQL with the settings of production.
type postgresServer struct {
	dsn        string
	stop       func(context.Context) error
	postmaster int
	Settings   map[string]string
}

// startPostgres starts PostgreSQL in a directory. Nothing else in this program depends on how that is done.
func startPostgres(ctx context.Context, dir string) (*postgresServer, error) {
	p, err := launchPostgres(ctx, dir, map[string]string{"max_connections": maxConnections})
	if err != nil {
		return nil, err
	}
	if err := p.inspect(ctx); err != nil {
		return nil, errors.Join(err, p.stop(ctx))
	}
	return p, nil
}

// launchPostgres starts PostgreSQL with settings.
func launchPostgres(ctx context.Context, dir string, settings map[string]string) (*postgresServer, error) {
	embedded, err := embeddedpg.Start(ctx, embeddedpg.Config{Dir: filepath.Join(dir, "postgres"), Logger: slog.New(slog.DiscardHandler), Settings: settings})
	if err != nil {
		return nil, err
	}
	return &postgresServer{dsn: embedded.DSN(), stop: embedded.Stop}, nil
}

// inspect reads the settings and rejects a PostgreSQL whose commits are not durable.
func (p *postgresServer) inspect(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	names := []string{
		"server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers", "max_connections",
		"max_wal_size", "data_checksums",
	}
	p.Settings = make(map[string]string, len(names))
	for _, name := range names {
		var value string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return fmt.Errorf("read the settings of PostgreSQL: %w", err)
		}
		p.Settings[name] = value
	}
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if p.Settings[name] != "on" {
			return fmt.Errorf("PostgreSQL runs with %s = %s: commits are not durable", name, p.Settings[name])
		}
	}
	var backend int
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return fmt.Errorf("find the processes of PostgreSQL: %w", err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", backend))
	if errors.Is(err, os.ErrNotExist) {
		return nil // a system without /proc
	}
	if err != nil {
		return fmt.Errorf("find the processes of PostgreSQL: %w", err)
	}
	session, err := parseStat(text)
	p.postmaster = session.parent
	return err
}

// createDatabase returns the DSN of a new database.
func (p *postgresServer) createDatabase(ctx context.Context, name string) (string, error) {
	if err := execute(ctx, p.dsn, nil, "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("create a database: %w", err)
	}
	return p.database(name)
}

// database returns the DSN of a database.
func (p *postgresServer) database(name string) (string, error) {
	config, err := pgx.ParseConfig(p.dsn)
	if err != nil {
		return "", fmt.Errorf("read the DSN: %w", err)
	}
	host := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(config.Host)
	return fmt.Sprintf("host='%s' port=%d user=%s dbname=%s sslmode=disable", host, config.Port, config.User, name), nil
}

// execute runs statements in one session that has the given settings.
func execute(ctx context.Context, dsn string, settings map[string]string, statements string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for name, value := range settings {
		if _, err := conn.Exec(ctx, "SELECT set_config($1, $2, false)", name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	if _, err := conn.PgConn().Exec(ctx, statements).ReadAll(); err != nil {
		return fmt.Errorf("execute: %w", err)
	}
	return nil
}

// countEvents returns how many events a database holds.
func countEvents(ctx context.Context, dsn string) (count int, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM events").Scan(&count); err != nil {
		return 0, fmt.Errorf("count the events: %w", err)
	}
	return count, nil
}
