// Package embeddedpg runs the local PostgreSQL of a server without DATABASE_URL: it finds or downloads the binaries, creates the
// cluster in the data directory, supervises the process and holds the directory for one server at a time.
package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/internal/telemetry"
)

const (
	embeddedRole      = "versioner"
	embeddedDatabase  = "versioner"
	readyTimeout      = 60 * time.Second // crash recovery is slow
	readyPollInterval = 10 * time.Millisecond
	attachTimeout     = 60 * time.Second // the first start of the server downloads binaries, creates the cluster and migrates
)

// image is not empty in a program that was built for a container image, in which there is no PostgreSQL and none can run.
//
//nolint:gochecknoglobals // the linker sets it
var image string

var errImage = errors.New("this image contains no PostgreSQL: set DATABASE_URL or DATABASE_URL_FILE to an external one")

// Config configures the embedded PostgreSQL.
type Config struct {
	Dir      string // the data directory; created if missing
	Logger   *slog.Logger
	Settings map[string]string // PostgreSQL settings added to the defaults
	Metrics  *telemetry.Metrics
	OnStart  func(kill func()) // when set, called with each started process; kill ends it without waiting

	noBinaries bool // tests: ignore the installed PostgreSQL
}

// Server is a PostgreSQL child process of this one.
type Server struct {
	config Config
	layout layout
	runAs  *runAsUser
	bin    string
	lock   *flock.Flock

	stopping context.CancelFunc
	stopped  chan struct{}
	mu       sync.Mutex
	current  *postmaster
}

// InUseError reports that another process holds the data directory.
type InUseError struct{ Dir, Holder string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("the data directory %s is in use by %s: stop that one, or choose another directory with --data-dir or VERSIONER_DATA_DIR", e.Dir, e.Holder)
}

// Start locks the data directory and runs PostgreSQL in it. The first start creates the cluster; a postmaster left behind by a
// killed process is stopped first, and one that exits is restarted. Start returns once the database accepts connections. The
// error is an *InUseError when another process holds the directory.
func Start(ctx context.Context, config Config) (*Server, error) {
	if image != "" {
		return nil, errImage
	}
	s := &Server{config: config, layout: newLayout(config.Dir), stopped: make(chan struct{})}
	var err error
	if s.runAs, err = findRunAsUser(); err != nil {
		return nil, err
	}
	if err := s.layout.create(s.runAs); err != nil {
		return nil, err
	}
	if err := s.takeLock(); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.releaseLock())
	}
	return s, nil
}

// Attach uses the PostgreSQL of the process that holds the data directory, or starts one that release stops.
func Attach(ctx context.Context, config Config) (dsn string, release func(context.Context) error, err error) {
	s, err := Start(ctx, config)
	if err == nil {
		return s.DSN(), s.Stop, nil
	}
	if _, inUse := errors.AsType[*InUseError](err); !inUse {
		return "", nil, err
	}
	dsn, err = WaitForHolder(ctx, config)
	return dsn, func(context.Context) error { return nil }, err
}

// WaitForHolder returns the DSN of the PostgreSQL of another process once it accepts connections. The holder may be in its first
// start, which creates the cluster.
func WaitForHolder(ctx context.Context, config Config) (dsn string, err error) {
	dsn = newLayout(config.Dir).dsn(embeddedDatabase)
	return dsn, waitUntilReady(ctx, dsn, attachTimeout, nil)
}

// DSN returns the connection string of the database.
func (s *Server) DSN() string { return s.layout.dsn(embeddedDatabase) }

// Binaries returns the directory of PostgreSQL's programs.
func (s *Server) Binaries() string { return s.bin }

// Stop shuts PostgreSQL down, immediately when ctx ends, and unlocks the directory.
func (s *Server) Stop(ctx context.Context) error {
	s.stopping()
	s.currentProcess().stop(ctx)
	<-s.stopped
	return s.releaseLock()
}

// Restart stops PostgreSQL; supervise starts it again, from the installation that it finds then.
func (s *Server) Restart(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, orphanStopTimeout)
	defer cancel()
	s.currentProcess().stop(ctx)
}

func (s *Server) currentProcess() *postmaster {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

func (s *Server) start(ctx context.Context) error {
	if err := stopOrphan(ctx, s.layout.data); err != nil {
		return err
	}
	var err error
	if s.bin, err = s.findBinaries(ctx); err != nil {
		return err
	}
	if err := s.initialize(ctx); err != nil {
		return err
	}
	if s.current, err = s.startAndWait(ctx); err != nil {
		return err
	}
	if err := s.createDatabase(ctx); err != nil {
		s.current.stop(ctx)
		return err
	}
	s.config.Metrics.EmbeddedRestarts(0)
	background, stopping := context.WithCancel(context.WithoutCancel(ctx))
	s.stopping = stopping
	go s.supervise(background)
	return nil
}

// initialize creates the cluster under a temporary name and renames it when complete, so that a crash during the first start
// leaves no partial cluster.
func (s *Server) initialize(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(s.layout.data, "PG_VERSION")); err == nil {
		return nil
	}
	draft := s.layout.data + ".new"
	for _, dir := range []string{draft, s.layout.data} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("create the cluster: %w", err)
		}
	}
	if err := s.runAs.mkdir(draft); err != nil {
		return fmt.Errorf("create the cluster: %w", err)
	}
	command := s.runAs.command(ctx, filepath.Join(s.bin, "initdb"),
		"--pgdata", draft, "--username", embeddedRole, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--data-checksums", "--no-instructions")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("create the cluster: initdb: %w\n%s", err, strings.TrimSpace(string(output)))
	}
	if err := os.Rename(draft, s.layout.data); err != nil {
		return fmt.Errorf("create the cluster: %w", err)
	}
	return nil
}

// startAndWait starts a postmaster and waits until it accepts connections. It retries while processes of a killed predecessor
// still exit.
func (s *Server) startAndWait(ctx context.Context) (*postmaster, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		process, err := s.startPostmaster(ctx)
		if err != nil {
			return nil, err
		}
		err = waitUntilReady(ctx, s.layout.dsn("postgres"), readyTimeout, process.exited)
		if err == nil {
			return process, nil
		}
		if !errors.Is(err, errExited) || !process.hasStaleProcesses() {
			process.stop(ctx)
			return nil, fmt.Errorf("%w\n%s", err, process.logTail())
		}
		time.Sleep(10 * readyPollInterval)
	}
}

var errExited = errors.New("embedded PostgreSQL exited during startup")

// waitUntilReady retries connecting until it succeeds, the process exits or the timeout expires.
func waitUntilReady(ctx context.Context, dsn string, timeout time.Duration, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			if err := conn.Close(ctx); err != nil {
				return fmt.Errorf("connect to embedded PostgreSQL: %w", err)
			}
			return nil
		}
		select {
		case <-exited:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("embedded PostgreSQL does not accept connections: %w", err)
		case <-time.After(readyPollInterval):
		}
	}
}

func (s *Server) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.layout.dsn("postgres"))
	if err != nil {
		return fmt.Errorf("connect to embedded PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", embeddedDatabase).Scan(&exists); err != nil {
		return fmt.Errorf("find the database: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+embeddedDatabase); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

// supervise restarts PostgreSQL whenever it exits, until Stop.
func (s *Server) supervise(ctx context.Context) {
	defer close(s.stopped)
	const minBackoff, maxBackoff = 100 * time.Millisecond, 5 * time.Second
	backoff := minBackoff
	for {
		<-s.currentProcess().exited
		for {
			if ctx.Err() != nil {
				return
			}
			s.config.Logger.ErrorContext(ctx, "embedded postgres exited, restarting", "backoff_ms", backoff.Milliseconds())
			select {
			case <-ctx.Done():
				return
			case <-time.After(backoff):
			}
			if err := s.restart(ctx); err != nil {
				s.config.Logger.ErrorContext(ctx, "embedded postgres failed to start", "error", err)
				backoff = min(2*backoff, maxBackoff)
				continue
			}
			s.config.Metrics.EmbeddedRestarts(1)
			backoff = minBackoff
			break
		}
	}
}

func (s *Server) restart(ctx context.Context) (err error) {
	if s.bin, err = s.findBinaries(ctx); err != nil {
		return err
	}
	process, err := s.startAndWait(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = process
	if ctx.Err() != nil { // Stop ran concurrently and stopped the previous process
		process.stop(ctx)
	}
	return nil
}

func (s *Server) takeLock() error {
	s.lock = flock.New(s.layout.lock)
	taken, err := s.lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock the data directory: %w", err)
	}
	if !taken {
		holder, err := os.ReadFile(s.layout.lockHolder)
		if err != nil || len(holder) == 0 {
			holder = []byte("another process")
		}
		return &InUseError{Dir: s.config.Dir, Holder: strings.TrimSpace(string(holder))}
	}
	text := "process " + strconv.Itoa(os.Getpid()) + " since " + time.Now().UTC().Format(time.RFC3339) + "\n"
	if err := os.WriteFile(s.layout.lockHolder, []byte(text), 0o600); err != nil {
		return errors.Join(fmt.Errorf("record the holder of the data directory: %w", err), s.lock.Close())
	}
	return nil
}

func (s *Server) releaseLock() error {
	_ = os.Remove(s.layout.lockHolder)
	if err := s.lock.Close(); err != nil {
		return fmt.Errorf("unlock the data directory: %w", err)
	}
	return nil
}
