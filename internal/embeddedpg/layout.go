package embeddedpg

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
	"strconv"
	"strings"
	"syscall"
)

// maxSocketPath is the longest path of a unix socket that every system supports.
const maxSocketPath = 103

// layout lists the paths in a data directory.
type layout struct {
	dir, data, sockets, lock, lockHolder, log, binaries string
}

func newLayout(dir string) layout {
	l := layout{
		dir:        dir,
		data:       filepath.Join(dir, "pgdata"),
		sockets:    filepath.Join(dir, "run"),
		lock:       filepath.Join(dir, "lock"),
		lockHolder: filepath.Join(dir, "holder"),
		log:        filepath.Join(dir, "postgres.log"),
		binaries:   filepath.Join(dir, "binaries"),
	}
	if len(filepath.Join(l.sockets, ".s.PGSQL.5432")) > maxSocketPath {
		name := sha256.Sum256([]byte(dir))
		l.sockets = filepath.Join(os.TempDir(), "versioner-"+hex.EncodeToString(name[:8]))
	}
	return l
}

// dsn connects through the socket. Quotes allow spaces in the path.
func (l layout) dsn(database string) string {
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(l.sockets)
	return fmt.Sprintf("host='%s' port=5432 user=%s dbname=%s sslmode=disable", quoted, embeddedRole, database)
}

// create creates the directories. Only the user that runs PostgreSQL may enter the socket directory: its mode is what protects
// the database, which trusts every local connection.
func (l layout) create(runAs *runAsUser) error {
	if err := os.MkdirAll(l.dir, 0o755); err != nil { //nolint:gosec // PostgreSQL's user must be able to traverse it
		return fmt.Errorf("create the data directory: %w; choose another with --data-dir or VERSIONER_DATA_DIR", err)
	}
	if err := runAs.canTraverse(l.dir); err != nil {
		return err
	}
	err := runAs.mkdir(l.sockets)
	if errors.Is(err, os.ErrExist) {
		return runAs.verifyOwnership(l.sockets)
	}
	if err != nil {
		return fmt.Errorf("create the socket directory: %w", err)
	}
	return nil
}

// runAsUser runs PostgreSQL and owns its files: the current user, or an unprivileged one where that is root, as PostgreSQL
// refuses to run as root.
type runAsUser struct {
	name      string
	uid, gid  uint32
	different bool // from the current user
}

// findRunAsUser prefers the user that distributions create for PostgreSQL.
func findRunAsUser() (*runAsUser, error) {
	if os.Geteuid() != 0 {
		return &runAsUser{name: "this user", uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil //nolint:gosec // ids are not negative here
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if errUID == nil && errGID == nil && uid != 0 {
			return &runAsUser{name: name, uid: uint32(uid), gid: uint32(gid), different: true}, nil
		}
	}
	return nil, errors.New(`PostgreSQL does not run as root, and the machine has neither a user "postgres" nor "nobody" to run it: create one, start this program as another user, or set DATABASE_URL`)
}

// command prepares a PostgreSQL program to run as the user and outside the terminal's process group. Its environment is empty but for
// PATH and the locale: variables of libpq, of the dynamic linker and the server's secrets stay out of PostgreSQL.
func (u *runAsUser) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, args...) //nolint:gosec // path from findBinaries
	command.Dir = "/"
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if u.different {
		command.SysProcAttr.Credential = &syscall.Credential{Uid: u.uid, Gid: u.gid}
	}
	return command
}

// mkdir creates a directory that only the user may enter.
func (u *runAsUser) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err //nolint:wrapcheck // names the directory
	}
	if u.different {
		return os.Chown(dir, int(u.uid), int(u.gid)) //nolint:wrapcheck // names the directory
	}
	return nil
}

// verifyOwnership rejects a directory that another user may have created.
func (u *runAsUser) verifyOwnership(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("check the socket directory: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || stat.Uid != u.uid || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("%s must be a directory of %s with mode 0700: remove it", dir, u.name)
	}
	return nil
}

// canTraverse reports, as an error, the first parent directory that the user may not traverse.
func (u *runAsUser) canTraverse(dir string) error {
	if !u.different {
		return nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return fmt.Errorf("check the data directory: %w", err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		mode := info.Mode().Perm()
		passes := mode&0o001 != 0 || ok && (stat.Uid == u.uid && mode&0o100 != 0 || stat.Gid == u.gid && mode&0o010 != 0)
		if !passes {
			return fmt.Errorf("PostgreSQL runs as the user %s, which may not enter %s: choose another directory with --data-dir or VERSIONER_DATA_DIR, such as /var/lib/versioner", u.name, at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}
