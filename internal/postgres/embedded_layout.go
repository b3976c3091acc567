package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// maxSocketPath is what the address of a unix socket may have on every system, less its terminating zero.
const maxSocketPath = 103

// layout is where things lie in a data directory.
type layout struct {
	dir, data, sockets, lock, holder, log, binaries string
}

func newLayout(dir string) layout {
	l := layout{
		dir:      dir,
		data:     filepath.Join(dir, "pgdata"),
		sockets:  filepath.Join(dir, "run"),
		lock:     filepath.Join(dir, "lock"),
		holder:   filepath.Join(dir, "holder"),
		log:      filepath.Join(dir, "postgres.log"),
		binaries: filepath.Join(dir, "binaries"),
	}
	if len(filepath.Join(l.sockets, ".s.PGSQL.5432")) > maxSocketPath {
		name := sha256.Sum256([]byte(dir))
		l.sockets = filepath.Join(os.TempDir(), "versioner-"+hex.EncodeToString(name[:8]))
	}
	return l
}

// dsn connects through the socket; the quotes are for paths with spaces.
func (l layout) dsn(database string) string {
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(l.sockets)
	return fmt.Sprintf("host='%s' port=5432 user=%s dbname=%s sslmode=disable", quoted, ownRole, database)
}

// make makes the directories. Whoever runs PostgreSQL owns the sockets' one, and nobody else may enter it: that is what
// protects the database, which trusts everybody who gets there.
func (l layout) make(runner *owner) error {
	if err := os.MkdirAll(l.dir, 0o755); err != nil { //nolint:gosec // PostgreSQL's user must be able to pass
		return fmt.Errorf("make the data directory: %w; choose another with --data-dir or VERSIONER_DATA_DIR", err)
	}
	if err := runner.canReach(l.dir); err != nil {
		return err
	}
	err := runner.mkdir(l.sockets)
	if errors.Is(err, os.ErrExist) {
		return runner.owns(l.sockets)
	}
	if err != nil {
		return fmt.Errorf("make the socket directory: %w", err)
	}
	return nil
}

// owner is who runs PostgreSQL and owns its files: an unprivileged user where we are root, whom PostgreSQL refuses, and
// ourselves otherwise.
type owner struct {
	name      string
	uid, gid  uint32
	different bool // from ourselves
}

// findOwner prefers the user that distributions make for PostgreSQL.
func findOwner() (*owner, error) {
	if os.Geteuid() != 0 {
		return &owner{name: "this user", uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil //nolint:gosec // ids are not negative here
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if errUID == nil && errGID == nil && uid != 0 {
			return &owner{name: name, uid: uint32(uid), gid: uint32(gid), different: true}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it: make one, start this program as another user, or set DATABASE_URL")
}

// command prepares a program of PostgreSQL's: as its owner, apart from our terminal's signals, and without our
// environment's ideas of where PostgreSQL is.
func (o *owner) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, args...) //nolint:gosec // found by us
	command.Dir = "/"
	command.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "PG") })
	command.Env = append(command.Env, "LC_ALL=C")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if o.different {
		command.SysProcAttr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	return command
}

// mkdir makes a directory that only the owner may enter.
func (o *owner) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err //nolint:wrapcheck // names the directory
	}
	if o.different {
		return os.Chown(dir, int(o.uid), int(o.gid)) //nolint:wrapcheck // names the directory
	}
	return nil
}

// owns refuses a directory that somebody else may have put there.
func (o *owner) owns(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at the socket directory: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || stat.Uid != o.uid || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("%s should be a directory of %s that nobody else may enter: remove it", dir, o.name)
	}
	return nil
}

// canReach tells whether the owner may pass through every directory on the way.
func (o *owner) canReach(dir string) error {
	if !o.different {
		return nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return fmt.Errorf("look at the data directory: %w", err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		mode := info.Mode().Perm()
		passes := mode&0o001 != 0 || ok && (stat.Uid == o.uid && mode&0o100 != 0 || stat.Gid == o.gid && mode&0o010 != 0)
		if !passes {
			return fmt.Errorf("PostgreSQL runs as the user %s, who may not enter %s: choose another directory with --data-dir or VERSIONER_DATA_DIR, such as /var/lib/versioner", o.name, at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}
