package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// series is one measurement with a number of connections, repeated in each round.
type series struct {
	phase       string
	label       string
	connections int
	runs        []run
	measure     func(ctx context.Context) (run, error)
}

// bench is the state of a benchmark.
type bench struct {
	options

	dir      string // temporary files
	keepsDir bool   // after the run
	progress io.Writer
	keys     *secrets
	ids      *runIDs
	postgres *postgresServer
	minimal  *minimal // nil when that phase is not run
	servers  []*server
	series   []*series
	notes    []string // reasons of skipped phases
	checks   []func(ctx context.Context) error

	traceBytes atomic.Int64 // that servers have sent
}

// measure runs the benchmark. It stops every process and removes every file before it returns.
func measure(ctx context.Context, o options, progress io.Writer) (_ report, err error) {
	b := &bench{options: o, progress: progress, ids: newRunIDs()}
	if b.keys, err = newSecrets(); err != nil {
		return report{}, err
	}
	if b.dir, err = os.MkdirTemp("", "versioner-bench-"); err != nil {
		return report{}, fmt.Errorf("create a directory: %w", err)
	}
	defer func() {
		if err := b.close(ctx); err != nil {
			b.logf("cleaning up: %v", err)
		}
	}()
	if err := os.Chmod(b.dir, 0o755); err != nil { //nolint:gosec // PostgreSQL's user must be able to pass
		return report{}, fmt.Errorf("create a directory: %w", err)
	}
	b.logf("starting PostgreSQL")
	if b.postgres, err = startPostgres(ctx, b.dir); err != nil {
		return report{}, err
	}
	if err := b.prepare(ctx); err != nil {
		return report{}, err
	}
	if err := b.runRounds(ctx, b.series, "round"); err != nil {
		return report{}, err
	}
	return b.report(ctx), nil
}

// close stops the servers before the database.
func (b *bench) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	for _, s := range b.servers {
		s.process.stop()
	}
	var err error
	if b.postgres != nil {
		err = b.postgres.stop(ctx)
	}
	if b.keepsDir {
		return err
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

func (b *bench) prepare(ctx context.Context) error {
	for _, phase := range []func(context.Context) error{b.prepareMinimal, b.prepareServer, b.prepareBaseline, b.prepareTelemetry} {
		if err := phase(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) prepareMinimal(ctx context.Context) (err error) {
	if !b.has(phaseMinimal) {
		return nil
	}
	b.minimal, err = newMinimal(ctx, b.postgres, b.dir)
	if errors.Is(err, errNoPgbench) {
		b.note(phaseMinimal, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	for _, n := range b.Connections {
		b.series = append(b.series, b.minimalSeries("(a) minimal transaction", n))
	}
	return nil
}

func (b *bench) minimalSeries(label string, connections int) *series {
	return &series{phase: phaseMinimal, label: label, connections: connections, measure: func(ctx context.Context) (run, error) {
		return b.minimal.measure(ctx, connections, b.WarmUp, b.Duration)
	}}
}

// prepareServer starts the server that the phases server, accounts, empty and notifications share.
func (b *bench) prepareServer(ctx context.Context) error {
	if !slices.ContainsFunc(b.Phases, func(p string) bool {
		return p == phaseServer || p == phaseAccounts || p == phaseEmpty || p == phaseNotifications
	}) {
		return nil
	}
	s, tenants, err := b.startServer(ctx, "server", b.Server, []string{"bench"})
	if err != nil {
		return err
	}
	if b.has(phaseServer) {
		for _, n := range b.Connections {
			b.series = append(b.series, b.serverSeries(phaseServer, "(b) server", s, n, tenants))
		}
	}
	if b.has(phaseAccounts) {
		if err := b.prepareAccounts(ctx, s); err != nil {
			return err
		}
	}
	if b.has(phaseEmpty) {
		if err := b.prepareEmpty(ctx, s, tenants[0]); err != nil {
			return err
		}
	}
	if b.has(phaseNotifications) {
		return b.prepareNotifications(ctx, s)
	}
	return nil
}

func (b *bench) prepareAccounts(ctx context.Context, s *server) error {
	slugs := make([]string, b.Accounts)
	for i := range slugs {
		slugs[i] = fmt.Sprintf("bench-%03d", i+1)
	}
	b.logf("creating %d accounts with %d pairs each", b.Accounts, pairs)
	tenants, err := b.createTenants(ctx, s, slugs)
	if err != nil {
		return err
	}
	b.series = append(b.series, b.serverSeries(phaseAccounts, fmt.Sprintf("(b) server, %d accounts", b.Accounts), s, middleConnections, tenants))
	return nil
}

// prepareNotifications compares an account that has a notification channel with one that has none.
func (b *bench) prepareNotifications(ctx context.Context, s *server) error {
	tenants, err := b.createTenants(ctx, s, []string{"bench-quiet", "bench-notified"})
	if err != nil {
		return err
	}
	quiet, notified := tenants[0], tenants[1]
	if err := s.subscribe(ctx, notified); err != nil {
		return err
	}
	b.series = append(b.series,
		b.serverSeries(phaseNotifications, labelQuiet, s, middleConnections, []*tenant{quiet}),
		b.serverSeries(phaseNotifications, labelNotified, s, middleConnections, []*tenant{notified}))
	b.checks = append(b.checks, func(ctx context.Context) error {
		for t, wanted := range map[*tenant]bool{quiet: false, notified: true} {
			if has, err := s.hasFanOut(ctx, t); err != nil || has != wanted {
				return errors.Join(err, fmt.Errorf("account %s has notifications: %v, expected %v", t.slug, has, wanted))
			}
		}
		return nil
	})
	return nil
}

func (b *bench) prepareBaseline(ctx context.Context) error {
	if !b.has(phaseBaseline) || b.Baseline == "" {
		return nil
	}
	s, tenants, err := b.startServer(ctx, "baseline", b.Baseline, []string{"bench"})
	if err != nil {
		return err
	}
	for _, n := range b.baselineConnections() {
		b.series = append(b.series, b.serverSeries(phaseBaseline, "(e) baseline", s, n, tenants))
	}
	return nil
}

// startServer starts a server on its own database and creates accounts.
func (b *bench) startServer(ctx context.Context, name, program string, slugs []string, environment ...string) (*server, []*tenant, error) {
	b.logf("starting %s: %s", name, program)
	dsn, err := b.postgres.createDatabase(ctx, "bench_"+name)
	if err != nil {
		return nil, nil, err
	}
	c := command{name: name, program: program, args: []string{"serve"}, environment: environment, dsn: dsn}
	switch {
	case name == "baseline":
		c.environment = formerNames(b.keys)
	case name == "server" && b.Profile != "":
		if c.program, err = os.Executable(); err != nil {
			return nil, nil, fmt.Errorf("find this program: %w", err)
		}
		c.args = []string{profiledServer, b.Profile}
	}
	s, err := startServer(ctx, c, b.keys, b.dir)
	if err != nil {
		return nil, nil, err
	}
	b.servers = append(b.servers, s)
	tenants, err := b.createTenants(ctx, s, slugs)
	return s, tenants, err
}

func (b *bench) createTenants(ctx context.Context, s *server, slugs []string) ([]*tenant, error) {
	tenants, err := createTenants(ctx, s, b.keys, slugs)
	if err != nil {
		return nil, err
	}
	return tenants, s.seed(ctx, tenants, b.ids)
}

func (b *bench) serverSeries(phase, label string, s *server, connections int, tenants []*tenant) *series {
	return &series{phase: phase, label: label, connections: connections, measure: func(ctx context.Context) (run, error) {
		l, err := startLoad(ctx, s.address, randomStreams(connections, tenants, b.Mix, b.ids))
		if err != nil {
			return run{}, err
		}
		w, err := meter{server: s.process.id(), postmaster: b.postgres.postmaster, load: os.Getpid()}.measure(ctx, b.WarmUp, b.Duration)
		o := l.finish()
		s.count(o)
		if err == nil && s.process.hasEnded() {
			err = errors.New("the server has ended")
		}
		if err != nil && ctx.Err() == nil {
			err = errors.Join(err, s.logTail())
		}
		return newRun(w, l.within(o, w)), err
	}}
}

// runRounds measures every series once in each round, so that noise affects all of them. Series with the same number of connections
// follow each other; every second round runs in the reverse order.
func (b *bench) runRounds(ctx context.Context, all []*series, name string) error {
	order := slices.Clone(all)
	slices.SortStableFunc(order, func(x, y *series) int { return x.connections - y.connections })
	for round := range b.Runs {
		for _, s := range order {
			measured, err := s.measure(ctx)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", s.label, connectionsText(s.connections), err)
			}
			s.runs = append(s.runs, measured)
			b.logf("%s %d of %d: %s, %s: %.0f/s", name, round+1, b.Runs, s.label, connectionsText(s.connections), measured.Rate)
		}
		slices.Reverse(order)
	}
	return nil
}

func (b *bench) logf(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}

// note records why a phase is skipped.
func (b *bench) note(phase, reason string) {
	b.notes = append(b.notes, fmt.Sprintf("%s is skipped: %s", phase, reason))
	b.logf("%s is skipped: %s", phase, reason)
}

// prepareEmpty starts the empty handler on the database of a server. The API key of that server's account is valid for both.
func (b *bench) prepareEmpty(ctx context.Context, s *server, t *tenant) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	b.logf("starting the empty handler")
	empty, err := startServer(ctx, command{name: "empty", program: program, args: []string{emptyServer}, dsn: s.dsn}, b.keys, b.dir)
	if err != nil {
		return err
	}
	empty.recordsNothing = true
	b.servers = append(b.servers, empty)
	same := newTenant(t.slug, t.token)
	same.useKey(empty.address, t.key)
	for _, n := range b.Connections {
		b.series = append(b.series, b.serverSeries(phaseEmpty, "(c) empty handler", empty, n, []*tenant{same}))
	}
	return nil
}
