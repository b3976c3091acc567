package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const stopTimeout = 30 * time.Second

// childProcess is a program that this one has started and stops.
type childProcess struct {
	command *exec.Cmd
	ended   chan struct{}
	err     error // once it has ended
}

// startProcess starts a program in its own process group, which signals of the terminal do not reach.
func startProcess(ctx context.Context, program string, args, environment []string, output io.Writer) (*childProcess, error) {
	p := &childProcess{
		command: exec.CommandContext(context.WithoutCancel(ctx), program, args...), //nolint:gosec // chosen by the caller
		ended:   make(chan struct{}),
	}
	p.command.Env, p.command.Stdout, p.command.Stderr = environment, output, output
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *childProcess) id() int { return p.command.Process.Pid }

func (p *childProcess) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// wait returns the error of a process that failed.
func (p *childProcess) wait() error {
	<-p.ended
	return p.err
}

// stop ends the process, by force if it takes too long.
func (p *childProcess) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = p.command.Process.Kill()
		<-p.ended
	}
}

// withoutPostgresSettings drops the variables that PostgreSQL's programs read.
func withoutPostgresSettings(environment []string) []string {
	return slices.DeleteFunc(environment, func(entry string) bool { return strings.HasPrefix(entry, "PG") })
}
