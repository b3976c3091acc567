package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The limits of the ratios.
const (
	minRateRatio  = 0.8 // of ingestion, largest to smallest size
	maxReadRatio  = 1.3 // of a read, largest to smallest size
	maxDeepRatio  = 1.3 // of the later page to the first one
	maxLargeRatio = 1.5 // of the account with a third of everything to a small one
)

// growthReport is the result of the program.
type growthReport struct {
	Reads     []readResult      `json:"reads"`
	Ingestion []ingestionResult `json:"ingestion"`
	Retention *retention        `json:"retention,omitempty"`
	Exceeded  []string          `json:"exceeded"`
}

// readResult compares a request between the sizes.
type readResult struct {
	Request string    `json:"request"`
	Items   int       `json:"items"`
	Large   []float64 `json:"large_ms"` // medians, by size
	Small   []float64 `json:"small_ms"`
	Deep    []float64 `json:"later_page_ms"` // of the large account; 0: it has no such page

	LargeGrowth float64 `json:"large_growth"` // largest to smallest size
	SmallGrowth float64 `json:"small_growth"`
	DeepToFirst float64 `json:"later_to_first"`
	LargeSmall  float64 `json:"large_to_small"`
}

// ingestionResult is the ingestion of a size or a variant.
type ingestionResult struct {
	Name          string  `json:"name"`
	Ordinary      run     `json:"ordinary"`
	Large         run     `json:"large"`
	OrdinaryRatio float64 `json:"ordinary_ratio"` // of the rate, to the first one
	LargeRatio    float64 `json:"large_ratio"`
	CPURatio      float64 `json:"postgres_cpu_ratio"` // per event, of both
	HOTShare      float64 `json:"hot_share"`
	BytesPerEvent float64 `json:"bytes_per_event"`
}

func (r *growthReport) addReads(requests []request, reads []*read, sizes []*grown) {
	for _, q := range requests {
		one := readResult{
			Request: q.name(), Large: make([]float64, len(sizes)), Small: make([]float64, len(sizes)), Deep: make([]float64, len(sizes)),
		}
		for i, d := range sizes {
			for _, measured := range reads {
				switch {
				case measured.name() != q.name() || measured.target.grown != d:
				case measured.target.account == "large":
					one.Items, one.Large[i], one.Deep[i] = measured.items, median(measured.first), median(measured.later)
				default:
					one.Small[i] = median(measured.first)
				}
			}
		}
		last := len(sizes) - 1
		one.LargeGrowth, one.SmallGrowth = quotient(one.Large[last], one.Large[0]), quotient(one.Small[last], one.Small[0])
		one.DeepToFirst, one.LargeSmall = quotient(one.Deep[last], one.Large[last]), quotient(one.Large[last], one.Small[last])
		r.Reads = append(r.Reads, one)
		r.check(one.Request+", large account, growth", one.LargeGrowth, one.LargeGrowth > maxReadRatio)
		r.check(one.Request+", small account, growth", one.SmallGrowth, one.SmallGrowth > maxReadRatio)
		r.check(one.Request+", later to first page", one.DeepToFirst, one.DeepToFirst > maxDeepRatio)
		r.check(one.Request+", large to small account", one.LargeSmall, one.LargeSmall > maxLargeRatio)
	}
}

func (r *growthReport) check(name string, value float64, isExceeded bool) {
	if isExceeded {
		r.Exceeded = append(r.Exceeded, fmt.Sprintf("%s: %.2f", name, value))
	}
}

func (r *growthReport) addIngestion(d, first *grown, w writes) {
	cpu := func(r run) float64 { return r.PostgresCPU }
	one := ingestionResult{
		Name: d.name, Ordinary: medianRun(d.events.runs), Large: medianRun(d.big.runs),
		OrdinaryRatio: medianRatio(d.events.runs, first.events.runs, rateOf), LargeRatio: medianRatio(d.big.runs, first.big.runs, rateOf),
		CPURatio: (medianRatio(d.events.runs, first.events.runs, cpu) + medianRatio(d.big.runs, first.big.runs, cpu)) / 2,
		HOTShare: quotient(float64(w.hot), float64(w.updates)), BytesPerEvent: quotient(float64(w.bytes), float64(w.events)),
	}
	r.Ingestion = append(r.Ingestion, one)
	r.check(d.name+", rate of ordinary accounts", one.OrdinaryRatio, one.OrdinaryRatio < minRateRatio)
	r.check(d.name+", rate of the large account", one.LargeRatio, one.LargeRatio < minRateRatio)
}

// failure is nil when every ratio is within its limit.
func (r *growthReport) failure() error {
	if len(r.Exceeded) == 0 {
		return nil
	}
	return fmt.Errorf("%d ratios exceed their limits", len(r.Exceeded))
}

// write writes the tables. A ratio over its limit has an exclamation mark.
func (r *growthReport) write(w io.Writer, g *growth) error {
	var text strings.Builder
	mark := func(value float64, isExceeded bool) string {
		if isExceeded {
			return number(value, 2) + "!"
		}
		return number(value, 2)
	}
	if len(r.Reads) > 0 {
		fmt.Fprintf(&text, "Reads: medians of %d requests, milliseconds; large: the account with a third of everything\n\n", g.Requests)
		head := []string{"request", "items"}
		for _, d := range g.sizes {
			head = append(head, "large "+strconv.Itoa(d.size))
		}
		rows := [][]string{append(head, "growth", "page "+strconv.Itoa(g.Page), "to first", "small", "growth", "large/small")}
		for _, one := range r.Reads {
			row := []string{one.Request, strconv.Itoa(one.Items)}
			for _, value := range one.Large {
				row = append(row, number(value, 2))
			}
			last := len(g.sizes) - 1
			rows = append(rows, append(row, mark(one.LargeGrowth, one.LargeGrowth > maxReadRatio), number(one.Deep[last], 2), mark(one.DeepToFirst, one.DeepToFirst > maxDeepRatio),
				number(one.Small[last], 2), mark(one.SmallGrowth, one.SmallGrowth > maxReadRatio), mark(one.LargeSmall, one.LargeSmall > maxLargeRatio)))
		}
		text.WriteString(align(rows))
	}
	if len(r.Ingestion) > 0 {
		fmt.Fprintf(&text, "\nIngestion: medians of %d runs of %v at %d connections, mix %q\n\n", g.Runs, g.Duration, middleConnections, g.Mix)
		rows := [][]string{{"", "ordinary/s", "ratio", "large/s", "ratio", "postgres µs", "ratio", "server µs", "p99 ms", "HOT", "bytes/event", "others"}}
		for _, one := range r.Ingestion {
			rows = append(rows, []string{
				one.Name, number(one.Ordinary.Rate, 0), mark(one.OrdinaryRatio, one.OrdinaryRatio < minRateRatio), number(one.Large.Rate, 0),
				mark(one.LargeRatio, one.LargeRatio < minRateRatio), number(one.Ordinary.PostgresCPU, 0), number(one.CPURatio, 2), number(one.Ordinary.ServerCPU, 0),
				number(one.Ordinary.P99, 1), percentage(one.HOTShare), number(one.BytesPerEvent, 0), percentage(one.Ordinary.Others),
			})
		}
		text.WriteString(align(rows))
	}
	if m := r.Retention; m != nil {
		fmt.Fprintf(&text, "\nRetention: %d months with %d events were dropped in %v, while events were recorded at %.0f/s (without it %.0f/s); the longest answer took %.0f ms; "+
			"%d events acknowledged, all recorded; %d failed\n", m.Months, m.Events, m.Took.Round(100*time.Millisecond), m.Rate, m.Before, m.Longest, m.Sent, m.Failures)
	}
	for _, one := range slices.Sorted(slices.Values(r.Exceeded)) {
		text.WriteString("over its limit: " + one + "\n")
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("print the results: %w", err)
	}
	return nil
}

func (r *growthReport) writeJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644) //nolint:gosec // not a secret
	}
	if err != nil {
		return errors.Join(errors.New("write the figures"), err)
	}
	return nil
}
