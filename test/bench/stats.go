package main

import (
	"math"
	"slices"
	"time"
)

// percentile returns the nearest-rank percentile of sorted latencies, 0 when there are none.
func percentile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median returns the middle of the values, or the mean of both middle ones; 0 when there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// spread returns the distance between the largest and the smallest value as a part of the median.
func spread(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return quotient(slices.Max(values)-slices.Min(values), median(values))
}

// quotient returns a / b, and 0 when b is 0: a figure that was not measured.
func quotient(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// run holds the figures of one short run. CPU times are microseconds per operation. A zero was not measured.
type run struct {
	Operations  int     `json:"operations"`
	Rate        float64 `json:"rate_per_second"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	Tail        float64 `json:"p99_over_p50"`
	ServerCPU   float64 `json:"server_cpu_us,omitzero"`
	PostgresCPU float64 `json:"postgres_cpu_us,omitzero"`
	LoadCPU     float64 `json:"load_generator_cpu_us,omitzero"`
	ServerRSS   float64 `json:"server_rss_mib,omitzero"`
	Others      float64 `json:"other_cpu_share"` // of the machine, used by other programs
}

// newRun computes the figures of the operations that ended within the window.
func newRun(w window, latencies []time.Duration) run {
	slices.Sort(latencies)
	count := float64(len(latencies))
	perOperation := func(cpu time.Duration) float64 { return quotient(float64(cpu.Nanoseconds())/1e3, count) }
	p50, p99 := milliseconds(percentile(latencies, 0.50)), milliseconds(percentile(latencies, 0.99))
	return run{
		Operations: len(latencies), Rate: quotient(count, w.to.Sub(w.from).Seconds()), P50: p50, P99: p99, Tail: quotient(p99, p50),
		ServerCPU: perOperation(w.server), PostgresCPU: perOperation(w.postgres), LoadCPU: perOperation(w.load), ServerRSS: w.serverRSS,
		Others: w.otherShare(),
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// medianRun returns the median of each figure.
func medianRun(runs []run) run {
	of := func(figure func(run) float64) float64 { return median(figures(runs, figure)) }
	return run{
		Operations: int(of(func(r run) float64 { return float64(r.Operations) })),
		Rate:       of(rateOf), P50: of(p50Of),
		P99:         of(func(r run) float64 { return r.P99 }),
		Tail:        of(func(r run) float64 { return r.Tail }),
		ServerCPU:   of(func(r run) float64 { return r.ServerCPU }),
		PostgresCPU: of(func(r run) float64 { return r.PostgresCPU }),
		LoadCPU:     of(func(r run) float64 { return r.LoadCPU }),
		ServerRSS:   of(func(r run) float64 { return r.ServerRSS }),
		Others:      of(func(r run) float64 { return r.Others }),
	}
}

// medianRatio divides a figure of each run by that of the run of the same round, and returns the median: noise that lasts longer than
// a round cancels out.
func medianRatio(numerators, denominators []run, figure func(run) float64) float64 {
	ratios := make([]float64, min(len(numerators), len(denominators)))
	for i := range ratios {
		ratios[i] = quotient(figure(numerators[i]), figure(denominators[i]))
	}
	return median(ratios)
}

func figures(runs []run, figure func(run) float64) []float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = figure(r)
	}
	return values
}

func rateOf(r run) float64 { return r.Rate }
func p50Of(r run) float64  { return r.P50 }
