package embeddedpg

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
	minMajor      = 15
	downloadMajor = 18 // for new clusters on machines without PostgreSQL
)

// ErrNoBinaries is the error of Start on a machine without a suitable PostgreSQL that cannot download one.
var ErrNoBinaries = errors.New("no suitable PostgreSQL is installed")

// findBinaries returns the directory of initdb and postgres: the newest installation, or for an existing cluster the one of its
// major version; without a match the binaries are downloaded once.
func (s *Server) findBinaries(ctx context.Context) (string, error) {
	wanted, err := clusterMajor(s.layout.data)
	if err != nil {
		return "", err
	}
	found, best := "", 0
	if !s.config.noBinaries {
		for _, dir := range findInstallations() {
			major := binaryMajor(ctx, filepath.Join(dir, "postgres"))
			if major >= minMajor && major > best && (wanted == 0 || major == wanted) {
				found, best = dir, major
			}
		}
	}
	if found != "" {
		return found, nil
	}
	if wanted == 0 {
		wanted = downloadMajor
	}
	return s.downloadBinaries(ctx, wanted)
}

// findInstallations lists the directories of complete installations.
func findInstallations() []string {
	var complete []string
	for _, dir := range programDirs("postgres") {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			complete = append(complete, dir)
		}
	}
	return complete
}

// programDirs lists the directory of a program on PATH, and those in which distributions install PostgreSQL.
func programDirs(program string) []string {
	var dirs []string
	if path, err := exec.LookPath(program); err == nil {
		dirs = append(dirs, filepath.Dir(path))
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(resolved))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/lib/postgresql*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/usr/local/pgsql/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, _ := filepath.Glob(pattern) // constant patterns are valid
		dirs = append(dirs, matches...)
	}
	return dirs
}

// FindClient returns the path of a client program of PostgreSQL, such as pg_dump, on this machine: of the oldest major version that is at
// least minimum and at most maximum.
func FindClient(ctx context.Context, program string, minimum, maximum int) (string, error) {
	found, best := "", 0
	for _, dir := range programDirs(program) {
		path := filepath.Join(dir, program)
		if major := binaryMajor(ctx, path); major >= minimum && major <= maximum && (best == 0 || major < best) {
			found, best = path, major
		}
	}
	if found == "" {
		return "", fmt.Errorf("%s of PostgreSQL %d is not installed: install the client programs of that version, such as the package postgresql-client-%d", program, minimum, minimum)
	}
	return found, nil
}

// clusterMajor returns the major version that created the cluster; 0 when there is none.
func clusterMajor(data string) (int, error) {
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION")) //nolint:gosec // inside the data directory
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

func binaryMajor(ctx context.Context, program string) int {
	output, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return 0
	}
	match := regexp.MustCompile(`\(PostgreSQL\) (\d+)`).FindSubmatch(output)
	if match == nil {
		return 0
	}
	major, _ := strconv.Atoi(string(match[1])) // the pattern matches digits only
	return major
}

// downloadBinaries makes the library download and unpack a PostgreSQL without running it, as it supports neither another user
// nor a socket. The library has no such call: it gets a data path below a regular file, and fails there before it runs anything.
func (s *Server) downloadBinaries(ctx context.Context, major int) (string, error) {
	versions := map[int]embeddedpostgres.PostgresVersion{
		15: embeddedpostgres.V15, 16: embeddedpostgres.V16, 17: embeddedpostgres.V17, 18: embeddedpostgres.V18,
	}
	version, known := versions[major]
	if !known {
		return "", fmt.Errorf("the cluster was created by PostgreSQL %d, which is neither installed nor available for download: install it (%w)", major, ErrNoBinaries)
	}
	saved := filepath.Join(s.layout.binaries, strconv.Itoa(major))
	bin := filepath.Join(saved, "bin")
	if binaryMajor(ctx, filepath.Join(bin, "postgres")) == major {
		return bin, nil
	}
	s.config.Logger.InfoContext(ctx, "postgres not found, downloading binaries", "version", string(version))
	work := s.layout.binaries + ".new"
	if err := errors.Join(os.RemoveAll(work), os.RemoveAll(saved), os.MkdirAll(s.layout.binaries, 0o755), os.Mkdir(work, 0o755)); err != nil { //nolint:gosec // PostgreSQL's user must be able to traverse it
		return "", fmt.Errorf("download PostgreSQL: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	obstacle := filepath.Join(work, "obstacle")
	port, err := freePort(ctx)
	if err = errors.Join(err, os.WriteFile(obstacle, nil, 0o600)); err != nil {
		return "", fmt.Errorf("download PostgreSQL: %w", err)
	}
	unpacked := filepath.Join(work, "unpacked")
	downloadErr := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().Version(version).Port(port).Logger(io.Discard).
		CachePath(filepath.Join(work, "cache")).RuntimePath(filepath.Join(work, "runtime")).BinariesPath(unpacked).
		DataPath(filepath.Join(obstacle, "data"))).Start()
	if binaryMajor(ctx, filepath.Join(unpacked, "bin", "postgres")) != major {
		return "", fmt.Errorf("%w, and the download failed: %w; install PostgreSQL %d or newer, or set DATABASE_URL", ErrNoBinaries, downloadErr, minMajor)
	}
	if err := os.Rename(unpacked, saved); err != nil {
		return "", fmt.Errorf("save PostgreSQL: %w", err)
	}
	return bin, nil
}

// freePort returns a free TCP port, which the library requires although it never listens.
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
