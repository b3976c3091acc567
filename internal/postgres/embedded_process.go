package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	maxLog        = 10 << 20
	orphanPatient = 10 * time.Second
	quitPatience  = 2 * time.Second
)

// postmaster is a running PostgreSQL.
type postmaster struct {
	process *os.Process
	exited  chan struct{}
	log     string
	logFrom int64 // where its own words begin
}

// startPostmaster starts PostgreSQL without waiting for it. Its life is not bound to a context: it is stopped in order.
func (e *Embedded) startPostmaster(ctx context.Context) (*postmaster, error) {
	log, from, err := openLog(e.layout.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	settings := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": `"` + e.layout.sockets + `"`,
		"shared_buffers":          "64MB",
		"autovacuum_naptime":      "15s", // the first plans are made without statistics: lists are slow until there are some
		"logging_collector":       "off",
		"log_destination":         "stderr",
		"timezone":                "UTC",
	}
	maps.Copy(settings, e.config.Settings)
	args := []string{"-D", e.layout.data}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	command := e.owner.command(context.WithoutCancel(ctx), filepath.Join(e.bin, "postgres"), args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the server's own PostgreSQL: %w", err)
	}
	process := &postmaster{process: command.Process, exited: make(chan struct{}), log: e.layout.log, logFrom: from}
	go func() {
		_ = command.Wait() // that it ended is all there is to know; why is in its log
		close(process.exited)
	}()
	return process, nil
}

// openLog keeps one log before this one.
func openLog(path string) (*os.File, int64, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, fmt.Errorf("keep the old log: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600) //nolint:gosec // in our own directory
	if err != nil {
		return nil, 0, fmt.Errorf("open the log: %w", err)
	}
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open the log: %w", err), log.Close())
	}
	return log, from, nil
}

// stop shuts down: fast, that is, without waiting for connections; at once when ctx ends; by force if even that fails.
func (p *postmaster) stop(ctx context.Context) {
	_ = p.process.Signal(syscall.SIGINT)
	select {
	case <-p.exited:
		return
	case <-ctx.Done():
	}
	_ = p.process.Signal(syscall.SIGQUIT)
	select {
	case <-p.exited:
	case <-time.After(quitPatience):
		_ = p.process.Kill()
		<-p.exited
	}
}

// lastWords is the end of what it has logged since it started.
func (p *postmaster) lastWords() string {
	const lines = 10
	log, err := os.Open(p.log)
	if err != nil {
		return ""
	}
	defer func() { _ = log.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(log, p.logFrom, maxLog))
	if err != nil {
		return ""
	}
	said := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(said[max(0, len(said)-lines):], "\n")
}

// leftoversInTheWay tells whether it ended because processes of a killed predecessor have not all noticed yet.
func (p *postmaster) leftoversInTheWay() bool {
	words := p.lastWords()
	return strings.Contains(words, "pre-existing shared memory block") || strings.Contains(words, "lock file \"")
}

// stopOrphan stops a PostgreSQL that a killed process has left running in the directory. The caller holds the lock, so
// it belongs to nobody. A pid file whose process is dead, or is something else by now, is removed.
func stopOrphan(ctx context.Context, data string) error {
	pidFile := filepath.Join(data, "postmaster.pid")
	text, err := os.ReadFile(pidFile) //nolint:gosec // in our own directory
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a PostgreSQL left running: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err == nil && isPostmaster(ctx, pid, data) {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
			_ = syscall.Kill(pid, signal)
			if waitForEnd(pid) {
				break
			}
		}
	}
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove a stale pid file: %w", err)
	}
	return nil
}

// isPostmaster tells whether the process is a PostgreSQL on that directory, which a postmaster has as an argument.
func isPostmaster(ctx context.Context, pid int, data string) bool {
	if pid <= 1 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil { // a system without /proc
		arguments, err = exec.CommandContext(ctx, "ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output() //nolint:gosec // a number
	}
	return err == nil && strings.Contains(string(arguments), "postgres") && strings.Contains(string(arguments), data)
}

func waitForEnd(pid int) bool {
	for end := time.Now().Add(orphanPatient); time.Now().Before(end); time.Sleep(readyPoll) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
	}
	return false
}
