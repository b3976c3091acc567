package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// clockTicks is the unit in which the kernel counts CPU time, per second (USER_HZ).
const clockTicks = 100

// meter measures processes by their ids. An id of 0 is not measured.
type meter struct{ server, postmaster, load int }

// window is the measured part of a run: its begin and end, and the CPU time used between them.
type window struct {
	from, to               time.Time
	server, postgres, load time.Duration
	busy                   time.Duration // CPU time of the whole machine
	serverRSS              float64       // MiB, at the end
}

// otherShare returns the part of the machine's CPU time that other programs used, 0 to 1.
func (w window) otherShare() float64 {
	if w.busy == 0 {
		return 0
	}
	all := w.to.Sub(w.from) * time.Duration(runtime.NumCPU())
	return max(0, quotient((w.busy-w.server-w.postgres-w.load).Seconds(), all.Seconds()))
}

// measure waits for the warm-up, then measures for the duration.
func (m meter) measure(ctx context.Context, warmUp, duration time.Duration) (window, error) {
	if err := sleep(ctx, warmUp); err != nil {
		return window{}, err
	}
	before, err := m.read()
	if err != nil {
		return window{}, err
	}
	if err := sleep(ctx, duration); err != nil {
		return window{}, err
	}
	after, err := m.read()
	if err != nil {
		return window{}, err
	}
	after.from = before.to
	after.server -= before.server
	after.postgres -= before.postgres
	after.load -= before.load
	after.busy -= before.busy
	return after, nil
}

// read returns the totals up to now. They are 0 on systems without /proc.
func (m meter) read() (w window, err error) {
	w.to = time.Now()
	entries, err := os.ReadDir("/proc")
	if errors.Is(err, os.ErrNotExist) {
		return w, nil
	}
	if err != nil {
		return w, fmt.Errorf("list processes: %w", err)
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return w, fmt.Errorf("read CPU times: %w", err)
	}
	if w.busy, err = parseBusy(string(text)); err != nil {
		return w, err
	}
	var all []process
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue // the process has ended
		}
		p, err := parseStat(text)
		if err != nil {
			return w, err
		}
		all = append(all, p)
	}
	w.server, w.load = cpuOf(all, m.server), cpuOf(all, m.load)
	w.postgres = cpuOfTree(all, m.postmaster)
	if m.server != 0 {
		w.serverRSS, err = residentMiB(m.server)
	}
	return w, err
}

// process holds fields of /proc/PID/stat.
type process struct {
	id, parent int
	own        time.Duration // CPU time in user and kernel mode
	reaped     time.Duration // CPU time of the children that have ended
}

// parseStat reads the fields after the command, which may itself hold spaces and parentheses.
func parseStat(text []byte) (process, error) {
	first, _, _ := bytes.Cut(text, []byte(" "))
	id, err := strconv.Atoi(string(first))
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const parent, userTime, systemTime, reapedUser, reapedSystem = 1, 11, 12, 13, 14
	if err != nil || len(fields) <= reapedSystem {
		return process{}, fmt.Errorf("read CPU times: unexpected %.60q", text)
	}
	var numbers [reapedSystem + 1]int64
	for _, field := range []int{parent, userTime, systemTime, reapedUser, reapedSystem} {
		if numbers[field], err = strconv.ParseInt(string(fields[field]), 10, 64); err != nil {
			return process{}, fmt.Errorf("read CPU times: %w", err)
		}
	}
	return process{
		id: id, parent: int(numbers[parent]), own: ticks(numbers[userTime] + numbers[systemTime]),
		reaped: ticks(numbers[reapedUser] + numbers[reapedSystem]),
	}, nil
}

// parseBusy reads the first line of /proc/stat: user, nice, system, idle, waiting for I/O, interrupts, soft interrupts, stolen.
func parseBusy(stat string) (time.Duration, error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	const stolen = 8
	if len(fields) <= stolen {
		return 0, fmt.Errorf("read CPU times: unexpected %.60q", line)
	}
	var sum int64
	for _, i := range []int{1, 2, 3, 6, 7, stolen} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read CPU times: %w", err)
		}
		sum += n
	}
	return ticks(sum), nil
}

func ticks(n int64) time.Duration { return time.Duration(n) * time.Second / clockTicks }

func cpuOf(all []process, id int) time.Duration {
	for _, p := range all {
		if p.id == id {
			return p.own
		}
	}
	return 0
}

// cpuOfTree sums the CPU time of a process, its live descendants and those that have ended.
func cpuOfTree(all []process, root int) time.Duration {
	if root == 0 {
		return 0
	}
	var total time.Duration
	for _, p := range all {
		switch root {
		case p.id:
			total += p.own + p.reaped
		case p.parent:
			total += cpuOfTree(all, p.id)
		}
	}
	return total
}

func residentMiB(id int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", id))
	if err != nil {
		return 0, fmt.Errorf("read the memory of the server: %w", err)
	}
	return parseResident(string(text))
}

func parseResident(status string) (float64, error) {
	for line := range strings.Lines(status) {
		rest, found := strings.CutPrefix(line, "VmRSS:")
		if !found {
			continue
		}
		kibibytes, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		if err != nil {
			return 0, fmt.Errorf("read the memory of the server: %w", err)
		}
		return kibibytes / 1024, nil
	}
	return 0, errors.New("read the memory of the server: the process has ended")
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx) //nolint:wrapcheck // names the signal
	}
}
