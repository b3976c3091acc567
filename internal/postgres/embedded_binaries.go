package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

const (
	minMajor     = 15
	fetchedMajor = 18 // what a new database gets where the machine has no PostgreSQL
)

// findBinaries returns the directory of initdb and postgres: the newest on the machine, or for an existing database those
// of its major version; fetched once and kept where the machine has none that fit.
func (e *Embedded) findBinaries(ctx context.Context) (string, error) {
	wanted, err := majorOf(e.layout.data)
	if err != nil {
		return "", err
	}
	found, best := "", 0
	if !e.config.noBinaries {
		for _, dir := range installed() {
			major := majorOfProgram(ctx, filepath.Join(dir, "postgres"))
			if major >= minMajor && major > best && (wanted == 0 || major == wanted) {
				found, best = dir, major
			}
		}
	}
	if found != "" {
		return found, nil
	}
	if wanted == 0 {
		wanted = fetchedMajor
	}
	return e.fetchBinaries(ctx, wanted)
}

// installed lists the directories that may hold a PostgreSQL, in the places where distributions put it.
func installed() []string {
	var dirs []string
	if program, err := exec.LookPath("postgres"); err == nil {
		if resolved, err := filepath.EvalSymlinks(program); err == nil {
			dirs = append(dirs, filepath.Dir(resolved))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/lib/postgresql*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/usr/local/pgsql/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, _ := filepath.Glob(pattern) // the patterns are right
		dirs = append(dirs, matches...)
	}
	var complete []string
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			complete = append(complete, dir)
		}
	}
	return complete
}

// majorOf is the major version that made a database; 0 when there is none.
func majorOf(data string) (int, error) {
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION")) //nolint:gosec // in our own directory
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the database's version: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read the database's version: %w", err)
	}
	return major, nil
}

func majorOfProgram(ctx context.Context, program string) int {
	output, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return 0
	}
	match := regexp.MustCompile(`\(PostgreSQL\) (\d+)`).FindSubmatch(output)
	if match == nil {
		return 0
	}
	major, _ := strconv.Atoi(string(match[1])) // the expression lets digits through alone
	return major
}

// fetchBinaries has the library fetch and unpack a PostgreSQL, and nothing else: it could neither run it as another user
// nor on a socket. The library has no call for that alone, so it is given a database directory that it cannot use, below
// a file; it fails there, before it runs anything.
func (e *Embedded) fetchBinaries(ctx context.Context, major int) (string, error) {
	versions := map[int]embeddedpostgres.PostgresVersion{
		15: embeddedpostgres.V15, 16: embeddedpostgres.V16, 17: embeddedpostgres.V17, 18: embeddedpostgres.V18,
	}
	version, known := versions[major]
	if !known {
		return "", fmt.Errorf("the database was made by PostgreSQL %d, which is neither on this machine nor can be fetched: install it", major)
	}
	kept := filepath.Join(e.layout.binaries, strconv.Itoa(major))
	bin := filepath.Join(kept, "bin")
	if majorOfProgram(ctx, filepath.Join(bin, "postgres")) == major {
		return bin, nil
	}
	e.config.Logger.InfoContext(ctx, "no PostgreSQL on this machine: fetching one, once", "version", string(version))
	work := e.layout.binaries + ".new"
	if err := errors.Join(os.RemoveAll(work), os.RemoveAll(kept), os.MkdirAll(e.layout.binaries, 0o755), os.Mkdir(work, 0o755)); err != nil { //nolint:gosec // PostgreSQL's user must be able to pass
		return "", fmt.Errorf("fetch PostgreSQL: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	obstacle := filepath.Join(work, "obstacle")
	port, err := freePort(ctx)
	if err = errors.Join(err, os.WriteFile(obstacle, nil, 0o600)); err != nil {
		return "", fmt.Errorf("fetch PostgreSQL: %w", err)
	}
	unpacked := filepath.Join(work, "unpacked")
	fetched := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().Version(version).Port(port).Logger(io.Discard).
		CachePath(filepath.Join(work, "cache")).RuntimePath(filepath.Join(work, "runtime")).BinariesPath(unpacked).
		DataPath(filepath.Join(obstacle, "data"))).Start()
	if majorOfProgram(ctx, filepath.Join(unpacked, "bin", "postgres")) != major {
		return "", fmt.Errorf("fetch PostgreSQL: %w; install PostgreSQL %d or newer, or set DATABASE_URL", fetched, minMajor)
	}
	if err := os.Rename(unpacked, kept); err != nil {
		return "", fmt.Errorf("keep PostgreSQL: %w", err)
	}
	return bin, nil
}

// freePort is for the library, which wants one that is free even where it will not get to use it.
func freePort(ctx context.Context) (uint32, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "localhost:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	_, text, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return uint32(port), nil
}
