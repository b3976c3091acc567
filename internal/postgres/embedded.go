package postgres

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
)

const (
	ownRole      = "versioner"
	ownDatabase  = "versioner"
	readyTimeout = 60 * time.Second // crash recovery may take its time
	readyPoll    = 10 * time.Millisecond
	attachWait   = 15 * time.Second
)

// EmbeddedConfig says where the server's own PostgreSQL lives.
type EmbeddedConfig struct {
	Dir      string // the data directory; made if it does not exist
	Logger   *slog.Logger
	Settings map[string]string // PostgreSQL's own settings, beside ours

	noBinaries bool // tests: pretend that the machine has no PostgreSQL
}

// Embedded is a PostgreSQL that belongs to this process.
type Embedded struct {
	config EmbeddedConfig
	layout layout
	owner  *owner
	bin    string
	lock   *flock.Flock

	stopping context.CancelFunc
	stopped  chan struct{}
	mu       sync.Mutex
	current  *postmaster
}

// InUseError says that another process holds the data directory.
type InUseError struct{ Dir, Holder string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("the data directory %s is in use by %s: stop that one, or choose another directory with --data-dir or VERSIONER_DATA_DIR", e.Dir, e.Holder)
}

// StartEmbedded takes the data directory and runs a PostgreSQL in it, which is made on the first start, stopped if an
// earlier process left it running, and started again if it dies. It returns once the database answers. The error is an
// *InUseError when another process holds the directory.
func StartEmbedded(ctx context.Context, config EmbeddedConfig) (*Embedded, error) {
	e := &Embedded{config: config, layout: newLayout(config.Dir), stopped: make(chan struct{})}
	var err error
	if e.owner, err = findOwner(); err != nil {
		return nil, err
	}
	if err := e.layout.make(e.owner); err != nil {
		return nil, err
	}
	if err := e.takeLock(); err != nil {
		return nil, err
	}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(err, e.releaseLock())
	}
	return e, nil
}

// AttachEmbedded is for short commands: beside a running server it uses that one's PostgreSQL, otherwise it starts it, and
// release stops it again.
func AttachEmbedded(ctx context.Context, config EmbeddedConfig) (dsn string, release func(context.Context) error, err error) {
	e, err := StartEmbedded(ctx, config)
	if err == nil {
		return e.DSN(), e.Stop, nil
	}
	if _, inUse := errors.AsType[*InUseError](err); !inUse {
		return "", nil, err
	}
	dsn = newLayout(config.Dir).dsn(ownDatabase)
	if err := waitUntilReady(ctx, dsn, attachWait, nil); err != nil {
		return "", nil, err
	}
	return dsn, func(context.Context) error { return nil }, nil
}

// DSN is how to connect to the database.
func (e *Embedded) DSN() string { return e.layout.dsn(ownDatabase) }

// Stop shuts PostgreSQL down, at once when ctx ends, and lets go of the directory.
func (e *Embedded) Stop(ctx context.Context) error {
	e.stopping()
	e.running().stop(ctx)
	<-e.stopped
	return e.releaseLock()
}

func (e *Embedded) running() *postmaster {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current
}

func (e *Embedded) start(ctx context.Context) error {
	if err := stopOrphan(ctx, e.layout.data); err != nil {
		return err
	}
	var err error
	if e.bin, err = e.findBinaries(ctx); err != nil {
		return err
	}
	if err := e.initialize(ctx); err != nil {
		return err
	}
	if e.current, err = e.launch(ctx); err != nil {
		return err
	}
	if err := e.createDatabase(ctx); err != nil {
		e.current.stop(ctx)
		return err
	}
	background, stopping := context.WithCancel(context.WithoutCancel(ctx))
	e.stopping = stopping
	go e.supervise(background)
	return nil
}

// initialize makes the database cluster beside its place and moves it there when it is whole, so that a crash on the first
// start leaves nothing half done.
func (e *Embedded) initialize(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(e.layout.data, "PG_VERSION")); err == nil {
		return nil
	}
	draft := e.layout.data + ".new"
	for _, dir := range []string{draft, e.layout.data} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("make the database: %w", err)
		}
	}
	if err := e.owner.mkdir(draft); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	command := e.owner.command(ctx, filepath.Join(e.bin, "initdb"),
		"--pgdata", draft, "--username", ownRole, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--data-checksums", "--no-instructions")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("make the database: initdb: %w\n%s", err, strings.TrimSpace(string(output)))
	}
	if err := os.Rename(draft, e.layout.data); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	return nil
}

// launch starts a postmaster and waits until it answers. One that finds the remains of its predecessor still dying is
// started again.
func (e *Embedded) launch(ctx context.Context) (*postmaster, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		process, err := e.startPostmaster(ctx)
		if err != nil {
			return nil, err
		}
		err = waitUntilReady(ctx, e.layout.dsn("postgres"), readyTimeout, process.exited)
		if err == nil {
			return process, nil
		}
		if !errors.Is(err, errExited) || !process.leftoversInTheWay() {
			process.stop(ctx)
			return nil, fmt.Errorf("%w\n%s", err, process.lastWords())
		}
		time.Sleep(10 * readyPoll)
	}
}

var errExited = errors.New("the server's own PostgreSQL ended while it started")

// waitUntilReady connects until it works, the process exits, or patience is at its end.
func waitUntilReady(ctx context.Context, dsn string, patience time.Duration, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			if err := conn.Close(ctx); err != nil {
				return fmt.Errorf("connect to the server's own PostgreSQL: %w", err)
			}
			return nil
		}
		select {
		case <-exited:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("the server's own PostgreSQL does not answer: %w", err)
		case <-time.After(readyPoll):
		}
	}
}

func (e *Embedded) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, e.layout.dsn("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the server's own PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", ownDatabase).Scan(&exists); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+ownDatabase); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

// supervise starts PostgreSQL again whenever it dies, until Stop.
func (e *Embedded) supervise(ctx context.Context) {
	defer close(e.stopped)
	const shortest, longest = 100 * time.Millisecond, 5 * time.Second
	pause := shortest
	for {
		<-e.running().exited
		for {
			if ctx.Err() != nil {
				return
			}
			e.config.Logger.ErrorContext(ctx, "the server's own PostgreSQL died, starting it again", "pause_ms", pause.Milliseconds())
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			if err := e.relaunch(ctx); err != nil {
				e.config.Logger.ErrorContext(ctx, "the server's own PostgreSQL does not start", "error", err)
				pause = min(2*pause, longest)
				continue
			}
			pause = shortest
			break
		}
	}
}

func (e *Embedded) relaunch(ctx context.Context) error {
	process, err := e.launch(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current = process
	if ctx.Err() != nil { // Stop came meanwhile and has stopped the one before
		process.stop(ctx)
	}
	return nil
}

func (e *Embedded) takeLock() error {
	e.lock = flock.New(e.layout.lock)
	taken, err := e.lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock the data directory: %w", err)
	}
	if !taken {
		holder, err := os.ReadFile(e.layout.holder)
		if err != nil || len(holder) == 0 {
			holder = []byte("another process")
		}
		return &InUseError{Dir: e.config.Dir, Holder: strings.TrimSpace(string(holder))}
	}
	text := "process " + strconv.Itoa(os.Getpid()) + " since " + time.Now().UTC().Format(time.RFC3339) + "\n"
	if err := os.WriteFile(e.layout.holder, []byte(text), 0o600); err != nil {
		return errors.Join(fmt.Errorf("note who holds the data directory: %w", err), e.lock.Close())
	}
	return nil
}

func (e *Embedded) releaseLock() error {
	_ = os.Remove(e.layout.holder)
	if err := e.lock.Close(); err != nil {
		return fmt.Errorf("unlock the data directory: %w", err)
	}
	return nil
}
