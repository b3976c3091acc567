package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Labels of the series that have a ratio.
const (
	labelQuiet    = "(d) server, no channel"
	labelNotified = "(d) server, a channel"
)

// report is the result of a benchmark.
type report struct {
	Machine  machine           `json:"machine"`
	Postgres map[string]string `json:"postgres"`
	Options  options           `json:"options"`
	Results  []result          `json:"results"`
	Ratios   []ratio           `json:"ratios"`
	Events   []events          `json:"events"`
	Notes    []string          `json:"notes"`
	Failures []string          `json:"failures"`

	eventBytes int
}

type machine struct {
	CPUs     int    `json:"cpus"`
	Platform string `json:"platform"`
	Go       string `json:"go"`
}

// result is the median of a series and its runs. The ratios compare it with the minimal transaction with as many connections.
type result struct {
	Phase           string  `json:"phase"`
	Label           string  `json:"label"`
	Connections     int     `json:"connections"`
	Median          run     `json:"median"`
	RateSpread      float64 `json:"rate_spread"`
	RateOverMinimal float64 `json:"rate_over_minimal,omitzero"`
	P50OverMinimal  float64 `json:"p50_over_minimal,omitzero"`
	Runs            []run   `json:"runs"`
}

// ratio is the median of the ratios of each round.
type ratio struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// events are the counters of a server.
type events struct {
	Server       string `json:"server"`
	Acknowledged int    `json:"acknowledged"`
	Recorded     int    `json:"recorded"`
	Failed       int    `json:"failed"`
}

func (b *bench) report(ctx context.Context) report {
	r := report{
		Machine:  machine{CPUs: runtime.NumCPU(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()},
		Postgres: b.postgres.Settings, Options: b.options, Notes: append([]string{}, b.notes...), Failures: []string{},
		eventBytes: len(newTenant("", "").deploy(0, environments-1, b.ids.next()).appendEvent(nil, "completed", time.Now())),
	}
	for _, s := range b.series {
		r.Results = append(r.Results, b.result(s))
	}
	r.Ratios = b.ratios()
	for _, s := range b.servers {
		recorded, err := s.verify(ctx)
		r.fail(err)
		r.Events = append(r.Events, events{Server: s.name, Acknowledged: s.acknowledged, Recorded: recorded, Failed: s.failed})
	}
	for _, check := range b.checks {
		r.fail(check(ctx))
	}
	return r
}

func (r *report) fail(err error) {
	if err != nil {
		r.Failures = append(r.Failures, err.Error())
	}
}

// failure is nil when every check has passed.
func (r *report) failure() error {
	if len(r.Failures) == 0 {
		return nil
	}
	return errors.New("the figures are invalid: " + strings.Join(r.Failures, "; "))
}

func (b *bench) result(s *series) result {
	r := result{
		Phase: s.phase, Label: s.label, Connections: s.connections, Median: medianRun(s.runs), RateSpread: spread(figures(s.runs, rateOf)), Runs: s.runs,
	}
	if reference := b.find(phaseMinimal, "", s.connections); reference != nil && s.phase != phaseMinimal {
		r.RateOverMinimal = medianRatio(s.runs, reference.runs, rateOf)
		r.P50OverMinimal = medianRatio(s.runs, reference.runs, p50Of)
	}
	return r
}

// find returns a series, or nil. An empty label stands for any.
func (b *bench) find(phase, label string, connections int) *series {
	for _, s := range b.series {
		if s.phase == phase && s.connections == connections && (label == "" || label == s.label) {
			return s
		}
	}
	return nil
}

func (b *bench) ratios() []ratio {
	var ratios []ratio
	add := func(name string, numerator, denominator *series) {
		if numerator != nil && denominator != nil {
			ratios = append(ratios, ratio{Name: name, Value: medianRatio(numerator.runs, denominator.runs, rateOf)})
		}
	}
	for _, n := range b.Connections {
		add("server / minimal transaction, "+connectionsText(n), b.find(phaseServer, "", n), b.find(phaseMinimal, "", n))
	}
	for _, n := range b.Connections {
		add("server / empty handler, "+connectionsText(n), b.find(phaseServer, "", n), b.find(phaseEmpty, "", n))
	}
	for _, n := range b.Connections {
		add("new / old server, "+connectionsText(n), b.find(phaseServer, "", n), b.find(phaseBaseline, "", n))
	}
	of := func(phase, label string) *series { return b.find(phase, label, middleConnections) }
	add("many accounts / one account", of(phaseAccounts, ""), of(phaseServer, ""))
	add("with / without a notification channel", of(phaseNotifications, labelNotified), of(phaseNotifications, labelQuiet))
	unobserved := of(phaseTelemetry, labelUnobserved)
	add("with / without metrics", of(phaseTelemetry, labelMetrics), unobserved)
	add("with metrics and traces of 1% / without", of(phaseTelemetry, labelTraces), unobserved)
	return ratios
}

func connectionsText(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}

// print writes the tables.
func (r *report) print(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%d CPUs, %s, %s, PostgreSQL %s (fsync %s, synchronous_commit %s, shared_buffers %s)\n",
		r.Machine.CPUs, r.Machine.Platform, r.Machine.Go, r.Postgres["server_version"], r.Postgres["fsync"], r.Postgres["synchronous_commit"], r.Postgres["shared_buffers"])
	fmt.Fprintf(&text, "Medians of %d short runs of %v; mix %q; %d pairs in an account; events of about %d bytes\n\n",
		r.Options.Runs, r.Options.Duration, r.Options.Mix, pairs, r.eventBytes)
	rows := [][]string{{
		"phase", "connections", "rate/s", "spread", "p50 ms", "p99 ms", "p99/p50", "server µs", "postgres µs", "load µs", "RSS MiB", "rate/(a)", "p50/(a)", "others",
	}}
	for _, one := range r.Results {
		m := one.Median
		rows = append(rows, []string{
			one.Label, strconv.Itoa(one.Connections), number(m.Rate, 0), percentage(one.RateSpread), number(m.P50, 2), number(m.P99, 2), number(m.Tail, 1),
			number(m.ServerCPU, 0), number(m.PostgresCPU, 0), number(m.LoadCPU, 0), number(m.ServerRSS, 0), number(one.RateOverMinimal, 2), number(one.P50OverMinimal, 2),
			fmt.Sprintf("%.0f%%", 100*m.Others),
		})
	}
	text.WriteString(align(rows))
	if len(r.Ratios) > 0 {
		rows = [][]string{{"\nratio of rates", "median"}}
		for _, one := range r.Ratios {
			rows = append(rows, []string{one.Name, number(one.Value, 2)})
		}
		text.WriteString(align(rows))
	}
	text.WriteString("\nothers: CPU time of other programs; above a few percent the figures are noise\n")
	for _, one := range r.Events {
		fmt.Fprintf(&text, "%s: %d events acknowledged, %d recorded, %d failed\n", one.Server, one.Acknowledged, one.Recorded, one.Failed)
	}
	for _, note := range r.Notes {
		text.WriteString(note + "\n")
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("print the results: %w", err)
	}
	return nil
}

// writeJSON writes every figure of every run.
func (r *report) writeJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil { //nolint:gosec // not a secret
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}

// number formats a figure, and one that was not measured as a dash.
func number(value float64, decimals int) string {
	if value == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f", decimals, value)
}

func percentage(part float64) string {
	if part == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f%%", 100*part)
}

// align pads the cells: the first column is left-aligned, the others right-aligned.
func align(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(strings.TrimSpace(cell)))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(strings.TrimSpace(cell)))
			if i == 0 {
				text.WriteString(cell + padding)
			} else {
				text.WriteString("  " + padding + cell)
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}
