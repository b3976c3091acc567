package embeddedpg

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
	maxLog            = 10 << 20
	orphanStopTimeout = 10 * time.Second
	quitTimeout       = 2 * time.Second
)

// postmaster is a running PostgreSQL.
type postmaster struct {
	process *os.Process
	exited  chan struct{}
	log     string
	logFrom int64 // offset of its first line
}

// startPostmaster starts PostgreSQL without waiting for it. The process outlives ctx: stop shuts it down in order.
func (s *Server) startPostmaster(ctx context.Context) (*postmaster, error) {
	log, from, err := openLog(s.layout.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	settings := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": `"` + s.layout.sockets + `"`,
		"shared_buffers":          "64MB",
		"autovacuum_naptime":      "15s", // without statistics plans of lists are slow: collect them early
		"logging_collector":       "off",
		"log_destination":         "stderr",
		"timezone":                "UTC",
	}
	maps.Copy(settings, s.config.Settings)
	args := []string{"-D", s.layout.data}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	command := s.runAs.command(context.WithoutCancel(ctx), filepath.Join(s.bin, "postgres"), args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start embedded PostgreSQL: %w", err)
	}
	process := &postmaster{process: command.Process, exited: make(chan struct{}), log: s.layout.log, logFrom: from}
	if s.config.OnStart != nil {
		s.config.OnStart(process.kill)
	}
	go func() {
		_ = command.Wait() // the reason is in its log
		close(process.exited)
	}()
	return process, nil
}

// openLog opens the log for appending and rotates a large one, keeping one previous file.
func openLog(path string) (*os.File, int64, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, fmt.Errorf("rotate the log: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600) //nolint:gosec // inside the data directory
	if err != nil {
		return nil, 0, fmt.Errorf("open the log: %w", err)
	}
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open the log: %w", err), log.Close())
	}
	return log, from, nil
}

// stop requests a fast shutdown (open connections are closed), an immediate one when ctx ends, and kills as the last resort.
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
	case <-time.After(quitTimeout):
		_ = p.process.Kill()
		<-p.exited
	}
}

// kill requests an immediate shutdown: PostgreSQL exits without a checkpoint and recovers at the next start.
func (p *postmaster) kill() { _ = p.process.Signal(syscall.SIGQUIT) }

// logTail returns the last lines that this process logged.
func (p *postmaster) logTail() string {
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
	logged := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(logged[max(0, len(logged)-lines):], "\n")
}

// hasStaleProcesses reports whether the process exited because those of a killed predecessor are still running.
func (p *postmaster) hasStaleProcesses() bool {
	tail := p.logTail()
	return strings.Contains(tail, "pre-existing shared memory block") || strings.Contains(tail, "lock file \"")
}

// stopOrphan stops a PostgreSQL that a killed process left running in the directory. The caller holds the lock, so no other
// server uses it. The pid file of a process that is dead, or is not a PostgreSQL of this directory, is removed.
func stopOrphan(ctx context.Context, data string) error {
	pidFile := filepath.Join(data, "postmaster.pid")
	text, err := os.ReadFile(pidFile) //nolint:gosec // inside the data directory
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find an orphaned PostgreSQL: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err == nil && isPostmaster(ctx, pid, data) {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
			_ = syscall.Kill(pid, signal)
			if waitForExit(pid) {
				break
			}
		}
	}
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove a stale pid file: %w", err)
	}
	return nil
}

// isPostmaster reports whether the process is a PostgreSQL of that directory, which is an argument of a postmaster.
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

func waitForExit(pid int) bool {
	for end := time.Now().Add(orphanStopTimeout); time.Now().Before(end); time.Sleep(readyPollInterval) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
	}
	return false
}
