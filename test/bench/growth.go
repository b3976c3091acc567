package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// growthProgram is the argument that measures growth instead of the phases.
const growthProgram = "growth"

// Accounts of a filled database, in the order of fill.sql.
const (
	largeAccount = "growth-large" // a third of everything
	smallAccount = "growth-small"

	ingestAccounts = 20 // ordinary ones, to which events are sent
)

// growthOptions holds the values of the flags.
type growthOptions struct {
	Server   string
	Document string
	Sizes    []int
	Variants []variant
	Requests int
	Page     int
	Runs     int
	Duration time.Duration
	WarmUp   time.Duration
	Mix      string
	Settings map[string]string
	JSON     string
	Dir      string
}

// variant is a change of the schema whose cost at ingestion is measured.
type variant struct{ name, sql string }

func parseGrowthOptions(args []string, output io.Writer) (growthOptions, error) {
	o := growthOptions{Settings: map[string]string{}}
	flags := flag.NewFlagSet(growthProgram, flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&o.Server, "server", "bin/versionerd", "server `binary` to measure")
	flags.StringVar(&o.Document, "document", "openapi.yaml", "`file` of the specification, which has the lists and their filters")
	flags.IntVar(&o.Requests, "requests", 51, "`requests` of which each figure of a list is the median; 0: no lists")
	flags.IntVar(&o.Page, "page", 1000, "`number` of the page that is compared with the first one")
	flags.IntVar(&o.Runs, "runs", 5, "short `runs` of which each figure of ingestion is the median; 0: no ingestion")
	flags.DurationVar(&o.Duration, "duration", 3*time.Second, "measured `time` of a run")
	flags.DurationVar(&o.WarmUp, "warmup", time.Second, "`time` that a run takes before it is measured")
	flags.StringVar(&o.Mix, "mix", mixEnd, "events of a deployment: `end` (completed) or pair (started, completed)")
	flags.StringVar(&o.JSON, "json", "", "`file` to write all figures to")
	flags.StringVar(&o.Dir, "dir", "", "`directory` to keep the filled databases in, and to find those of an earlier run (default: a temporary one)")
	sizes := flags.String("sizes", "10000,1000000,10000000", "`numbers` of deployments, separated by commas")
	flags.Func("variant", "`NAME=SQL` to compare the ingestion of a database with that SQL against one without it, at the largest size (repeatable; no lists)", func(text string) error {
		name, sql, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("use NAME=SQL")
		}
		o.Variants = append(o.Variants, variant{name: name, sql: sql})
		return nil
	})
	flags.Func("set", "`NAME=VALUE` of a setting of PostgreSQL (repeatable)", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("use NAME=VALUE")
		}
		o.Settings[name] = value
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return o, err //nolint:wrapcheck // the flag package has reported it
	}
	for part := range strings.SplitSeq(*sizes, ",") {
		size, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || size < minSize {
			return o, fmt.Errorf("-sizes: %q is not a number from %d", part, minSize)
		}
		o.Sizes = append(o.Sizes, size)
	}
	slices.Sort(o.Sizes)
	o.Sizes = slices.Compact(o.Sizes)
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.Mix != mixEnd && o.Mix != mixPair:
		return o, fmt.Errorf("-mix: %q is neither %s nor %s", o.Mix, mixEnd, mixPair)
	case o.Runs < 0 || o.Requests < 0 || o.Page < 2 || o.Duration <= 0 || o.WarmUp < 0:
		return o, errors.New("use positive numbers and durations")
	}
	return o, nil
}

// minSize leaves the small account enough rows for a page.
const minSize = 10_000

// growth compares servers whose databases have different numbers of rows.
type growth struct {
	growthOptions

	bench    *bench
	document *document
	sizes    []*grown
	report   growthReport
}

// grown is a filled database with its server.
type grown struct {
	name     string
	size     int
	dsn      string
	server   *server
	large    *tenant
	small    *tenant
	ordinary []*tenant
	from     time.Time // before the first event of a measurement
	events   *series
	big      *series // events to the large account
}

// measureGrowth runs the program. It stops every process and removes every file before it returns.
func measureGrowth(ctx context.Context, args []string, stdout, progress io.Writer) (err error) {
	options, err := parseGrowthOptions(args, progress)
	if err != nil {
		return err
	}
	g := &growth{growthOptions: options}
	if g.document, err = readDocument(options.Document); err != nil {
		return err
	}
	g.bench = &bench{progress: progress, ids: newRunIDs(), options: options.ofSeries()}
	g.bench.ids.last.Store(time.Now().UnixMilli()) // a database of an earlier run knows the runs of that one
	if g.bench.keys, err = newSecrets(); err != nil {
		return err
	}
	if g.bench.dir, g.bench.keepsDir = options.Dir, options.Dir != ""; !g.bench.keepsDir {
		if g.bench.dir, err = os.MkdirTemp("", "versioner-bench-"); err != nil {
			return fmt.Errorf("create a directory: %w", err)
		}
	}
	defer func() {
		if err := g.bench.close(ctx); err != nil {
			g.bench.logf("cleaning up: %v", err)
		}
	}()
	if err := errors.Join(os.MkdirAll(g.bench.dir, 0o755), os.Chmod(g.bench.dir, 0o755)); err != nil { //nolint:gosec // PostgreSQL's user must be able to pass
		return fmt.Errorf("create a directory: %w", err)
	}
	if err := g.prepare(ctx); err != nil {
		return err
	}
	if options.Requests == 0 && options.Runs == 0 {
		return nil
	}
	failure := g.run(ctx)
	err = g.report.write(stdout, g)
	if g.JSON != "" {
		err = errors.Join(err, g.report.writeJSON(g.JSON))
	}
	return errors.Join(failure, err, g.report.failure())
}

// ofSeries returns the options of series.
func (o growthOptions) ofSeries() options {
	return options{Server: o.Server, Runs: o.Runs, Duration: o.Duration, WarmUp: o.WarmUp, Mix: o.Mix}
}

func (d *grown) tenants() []*tenant { return append([]*tenant{d.large, d.small}, d.ordinary...) }

// fillParts is the number of sessions that run a step in parts.
const fillParts = 8

// clone returns the same account of a copy of the database.
func (t *tenant) clone() *tenant {
	same := newTenant(t.slug, t.token)
	same.key = t.key
	return same
}

func (g *growth) run(ctx context.Context) error {
	if g.Requests > 0 && len(g.Variants) == 0 {
		if err := g.measureReads(ctx); err != nil {
			return err
		}
	}
	if g.Runs > 0 {
		if err := g.measureIngestion(ctx); err != nil {
			return err
		}
	}
	if g.Runs > 0 && len(g.Variants) == 0 {
		return g.measureRetention(ctx, g.sizes[len(g.sizes)-1])
	}
	return nil
}

// measureIngestion sends events at 64 connections, to ordinary accounts and to the large one.
func (g *growth) measureIngestion(ctx context.Context) error {
	b := g.bench
	var all []*series
	for _, d := range g.sizes {
		d.from = time.Now().Add(-time.Second)
		d.events = b.serverSeries(growthProgram, d.name+", ordinary accounts", d.server, middleConnections, d.ordinary)
		d.big = b.serverSeries(growthProgram, d.name+", the large account", d.server, middleConnections, []*tenant{d.large})
		all = append(all, d.events, d.big)
	}
	before := make([]writes, len(g.sizes))
	for i, d := range g.sizes {
		// Dirty pages are not to be written while another database is measured.
		if err := execute(ctx, d.dsn, nil, "CHECKPOINT"); err != nil {
			return err
		}
		var err error
		if before[i], err = readWrites(ctx, d.dsn); err != nil {
			return err
		}
	}
	if err := b.runRounds(ctx, all, "ingestion, round"); err != nil {
		return err
	}
	if err := sleep(ctx, 2*time.Second); err != nil { // until PostgreSQL has reported the last counters
		return err
	}
	for i, d := range g.sizes {
		after, err := readWrites(ctx, d.dsn)
		if err != nil {
			return err
		}
		g.report.addIngestion(d, g.sizes[0], after.since(before[i]))
		if err := g.verify(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// verify reports an error unless the database has recorded each acknowledged event once.
func (g *growth) verify(ctx context.Context, d *grown) error {
	conn, err := pgx.Connect(ctx, d.dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var recorded int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM events WHERE received_at >= $1", d.from).Scan(&recorded); err != nil {
		return fmt.Errorf("count the events: %w", err)
	}
	g.bench.logf("%s: %d events acknowledged, %d recorded, %d failed", d.name, d.server.acknowledged, recorded, d.server.failed)
	if d.server.failed > 0 || recorded != d.server.acknowledged {
		return errors.Join(fmt.Errorf("%s: %d events were acknowledged, %d recorded, %d failed; the first: %s", d.name, d.server.acknowledged, recorded,
			d.server.failed, d.server.firstFailure), d.server.logTail())
	}
	return nil
}

// writes are counters of what a database has written.
type writes struct {
	events, updates, hot int64 // events recorded; updates of deployments and versions, and those without a new entry in any index
	bytes                int64 // of tables and indexes
}

func (w writes) since(before writes) writes {
	return writes{events: w.events - before.events, updates: w.updates - before.updates, hot: w.hot - before.hot, bytes: w.bytes - before.bytes}
}

func readWrites(ctx context.Context, dsn string) (w writes, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return w, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, `SELECT (SELECT sum(n_tup_ins) FROM pg_stat_user_tables WHERE relname LIKE 'events\_%'),
		n_tup_upd, n_tup_hot_upd, pg_database_size(current_database()) FROM pg_stat_user_tables WHERE relname = 'deployments'`).Scan(&w.events, &w.updates, &w.hot, &w.bytes)
	if err != nil {
		return w, fmt.Errorf("read the counters of PostgreSQL: %w", err)
	}
	return w, nil
}

// retention has the figures of the removal of months while events are recorded.
type retention struct {
	Size     int           `json:"deployments"`
	Months   int           `json:"months_dropped"`
	Events   int64         `json:"events_dropped"`
	Took     time.Duration `json:"took_ns"`
	Rate     float64       `json:"rate_per_second"`
	Before   float64       `json:"rate_before"`
	Longest  float64       `json:"longest_ms"`
	Sent     int           `json:"events_acknowledged"`
	Failures int           `json:"events_failed"`
}

// measureRetention lets a server delete the oldest months of the largest database, while it records the events of 64 connections: it runs
// the maintenance as soon as the measured server has stopped.
func (g *growth) measureRetention(ctx context.Context, d *grown) error {
	b := g.bench
	conn, err := pgx.Connect(ctx, d.dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	const keep = 3
	now := time.Now().UTC()
	before := time.Date(now.Year(), now.Month()-keep, 1, 0, 0, 0, 0, time.UTC)
	r := retention{Size: d.size, Before: medianRun(d.events.runs).Rate}
	oldest := `SELECT count(*) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass AND c.relname < $1 AND c.relname ~ '^events_[0-9]'`
	if err := conn.QueryRow(ctx, oldest, before.Format("events_2006_01")).Scan(&r.Months); err != nil {
		return fmt.Errorf("count the partitions: %w", err)
	}
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM events WHERE received_at < $1", before).Scan(&r.Events); err != nil {
		return fmt.Errorf("count the events: %w", err)
	}
	next, err := startServer(ctx, command{
		name: "retention", program: g.Server, args: []string{"serve"}, dsn: d.dsn, environment: []string{"VERSIONER_RETENTION_EVENTS=" + strconv.Itoa(keep)},
	}, b.keys, b.dir)
	if err != nil {
		return err
	}
	b.servers = append(b.servers, next)
	l, err := startLoad(ctx, next.address, randomStreams(middleConnections, d.ordinary, g.Mix, b.ids))
	if err != nil {
		return err
	}
	if err := sleep(ctx, g.WarmUp); err != nil {
		return err
	}
	began := time.Now()
	d.server.process.stop()
	for left := r.Months; left > 0; {
		if time.Since(began) > 5*time.Minute {
			return errors.Join(fmt.Errorf("%d months have not been dropped", left), next.logTail())
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		if err := conn.QueryRow(ctx, oldest, before.Format("events_2006_01")).Scan(&left); err != nil {
			return fmt.Errorf("count the partitions: %w", err)
		}
	}
	r.Took = time.Since(began)
	if err := sleep(ctx, g.Duration); err != nil {
		return err
	}
	elapsed := time.Since(l.began)
	o := l.finish()
	d.server.count(o)
	r.Sent, r.Failures, r.Rate = len(o.answers), o.failures, float64(len(o.answers))/elapsed.Seconds()
	for _, a := range o.answers {
		r.Longest = max(r.Longest, milliseconds(a.latency))
	}
	g.report.Retention = &r
	return g.verify(ctx, d)
}
