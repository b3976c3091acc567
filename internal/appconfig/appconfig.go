// Package appconfig reads the configuration: environment and flags in, one checked struct out, every problem reported at
// once with its cure.
package appconfig

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Settings are the settings as they are written down. The tags make flags, environment and help of them.
type Settings struct {
	Addr        string `default:"127.0.0.1:8080" env:"VERSIONER_ADDR"       help:"Address to listen on, host:port."                                                                                       placeholder:"HOST:PORT"`
	DataDir     string `env:"VERSIONER_DATA_DIR"                            help:"Directory of the server's own PostgreSQL and secrets, used when DATABASE_URL is not set. Default: ${data_dir}."         placeholder:"DIR"`
	DatabaseURL string `env:"DATABASE_URL"                                  help:"PostgreSQL (15 or newer) to use instead of the server's own."                                                           placeholder:"URL"`
	LogLevel    string `default:"info"           env:"VERSIONER_LOG_LEVEL"  help:"Least severe level to log: debug, info, warn or error."                                                                 placeholder:"LEVEL"`
	KeyPepper   string `env:"VERSIONER_KEY_PEPPER" help:"Secret that API keys are hashed with, at least 32 characters; the same for all servers of a database. Needed with DATABASE_URL; otherwise made and kept in the data directory."`
}

// Config is the configuration, checked.
type Config struct {
	Addr        string
	DataDir     string // absolute; empty with DatabaseURL
	DatabaseURL string // empty: the server's own PostgreSQL
	LogLevel    slog.Level
	KeyPepper   []byte // nil without DatabaseURL: see LoadPepper
}

const (
	minPepper  = 32
	pepperFile = "key-pepper"
)

// Resolve checks every setting and reports all problems together.
func (s Settings) Resolve() (Config, error) {
	config := Config{Addr: s.Addr, DatabaseURL: s.DatabaseURL}
	problems := []error{checkAddr(s.Addr), config.LogLevel.UnmarshalText([]byte(s.LogLevel))}
	if problems[1] != nil {
		problems[1] = fmt.Errorf("VERSIONER_LOG_LEVEL %q: use debug, info, warn or error", s.LogLevel)
	}
	if s.KeyPepper != "" {
		config.KeyPepper = []byte(s.KeyPepper)
		problems = append(problems, checkPepper(s.KeyPepper))
	}
	if s.DatabaseURL != "" {
		problems = append(problems, checkDatabaseURL(s.DatabaseURL))
		if s.KeyPepper == "" {
			problems = append(problems, errors.New("VERSIONER_KEY_PEPPER is not set: with DATABASE_URL it is needed, and must be the same for all servers of the database; make one with `openssl rand -hex 32`"))
		}
	} else {
		var err error
		config.DataDir, err = absoluteDataDir(s.DataDir)
		problems = append(problems, err)
	}
	return config, errors.Join(problems...)
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("VERSIONER_ADDR %q: use host:port with a port from 0 to 65535, such as 127.0.0.1:8080 or :8080", addr)
	}
	return nil
}

func checkPepper(pepper string) error {
	if len(pepper) < minPepper {
		return fmt.Errorf("VERSIONER_KEY_PEPPER has %d characters: use at least %d; make one with `openssl rand -hex 32`", len(pepper), minPepper)
	}
	return nil
}

// checkDatabaseURL never repeats the URL, which may hold a password.
func checkDatabaseURL(url string) error {
	if _, err := pgx.ParseConfig(url); err != nil {
		return errors.New("DATABASE_URL cannot be read: use postgres://user:password@host:5432/database")
	}
	return nil
}

func absoluteDataDir(dir string) (string, error) {
	if dir == "" {
		dir = DefaultDataDir()
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("VERSIONER_DATA_DIR %q: %w; use an absolute path", dir, err)
	}
	return absolute, nil
}

// DefaultDataDir is /var/lib/versioner for root, whose home PostgreSQL's unprivileged user cannot enter, and a directory
// in the home of anybody else.
func DefaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/versioner"
	}
	if base := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "versioner")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "versioner-data"
	}
	return filepath.Join(home, ".local", "share", "versioner")
}

// LoadPepper returns the configured pepper or, where none is, the one kept in the data directory, made on first use.
func (c Config) LoadPepper() ([]byte, error) {
	if c.KeyPepper != nil {
		return c.KeyPepper, nil
	}
	path := filepath.Join(c.DataDir, pepperFile)
	kept, err := os.ReadFile(path) //nolint:gosec // the operator's own directory
	switch {
	case err == nil:
		return checkKeptPepper(path, kept)
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read the pepper: %w", err)
	}
	return makePepper(path)
}

func checkKeptPepper(path string, kept []byte) ([]byte, error) {
	pepper := strings.TrimSpace(string(kept))
	if err := checkPepper(pepper); err != nil {
		return nil, fmt.Errorf("%s is damaged: restore it from a backup, API keys cannot be verified without it", path)
	}
	return []byte(pepper), nil
}

// makePepper writes a whole file or none, and leaves one that another process made meanwhile.
func makePepper(path string) ([]byte, error) {
	secret := make([]byte, minPepper)
	_, _ = rand.Read(secret) // never fails
	pepper := hex.EncodeToString(secret)
	draft, err := os.CreateTemp(filepath.Dir(path), pepperFile+".*") // made with mode 0600
	if err != nil {
		return nil, fmt.Errorf("keep the pepper: %w", err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	_, err = draft.WriteString(pepper + "\n")
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return nil, fmt.Errorf("keep the pepper: %w", err)
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("keep the pepper: %w", err)
	}
	kept, err := os.ReadFile(path) //nolint:gosec // the operator's own directory
	if err != nil {
		return nil, fmt.Errorf("read the pepper: %w", err)
	}
	return checkKeptPepper(path, kept)
}
