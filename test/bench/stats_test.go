package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, test := range []struct {
		name   string
		sorted []time.Duration
		q      float64
		want   time.Duration
	}{
		{"OfNone", nil, 0.5, 0},
		{"OfOne", []time.Duration{7}, 0.99, 7},
		{"MedianOfTwoIsTheLower", []time.Duration{1, 9}, 0.5, 1},
		{"MedianOfThree", []time.Duration{1, 2, 9}, 0.5, 2},
		{"P50OfHundred", hundred, 0.5, 50},
		{"P99OfHundred", hundred, 0.99, 99},
		{"P100OfHundred", hundred, 1, 100},
		{"P0IsTheSmallest", hundred, 0, 1},
		{"P99OfFewIsTheLargest", []time.Duration{1, 2, 3, 4}, 0.99, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, percentile(test.sorted, test.q))
		})
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	require.Zero(t, median(nil))
	require.InDelta(t, 3.0, median([]float64{9, 1, 3}), 0)
	require.InDelta(t, 2.5, median([]float64{4, 1, 2, 3}), 0)
	values := []float64{3, 1, 2}
	median(values)
	require.Equal(t, []float64{3, 1, 2}, values, "the order of the runs stays")
}

func TestSpread(t *testing.T) {
	t.Parallel()
	require.Zero(t, spread(nil))
	require.Zero(t, spread([]float64{5}))
	require.InDelta(t, 0.5, spread([]float64{80, 100, 130}), 1e-9)
}

func TestMedianRatio(t *testing.T) {
	t.Parallel()
	rates := func(values ...float64) []run {
		runs := make([]run, len(values))
		for i, value := range values {
			runs[i].Rate = value
		}
		return runs
	}
	require.InDelta(t, 0.5, medianRatio(rates(50, 5, 500), rates(100, 10, 1000), rateOf), 1e-9, "noise that hits a whole round cancels out")
	require.InDelta(t, 2.0, medianRatio(rates(2, 4, 9), rates(1, 2, 3), rateOf), 1e-9)
	require.Zero(t, medianRatio(rates(1), rates(0), rateOf), "not measured")
	require.Zero(t, medianRatio(nil, rates(1), rateOf))
}

func TestNewRun(t *testing.T) {
	t.Parallel()
	begin := time.Unix(0, 0)
	w := window{from: begin, to: begin.Add(2 * time.Second), server: 8 * time.Millisecond, postgres: 20 * time.Millisecond, serverRSS: 40}
	got := newRun(w, []time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond, 12 * time.Millisecond})
	require.Equal(t, run{Operations: 4, Rate: 2, P50: 2, P99: 12, Tail: 6, ServerCPU: 2000, PostgresCPU: 5000, ServerRSS: 40}, got)
	require.Equal(t, run{}, newRun(w, nil).withoutMemory(), "nothing ended within the window")
}

func TestMedianRunTakesEachFigureAlone(t *testing.T) {
	t.Parallel()
	got := medianRun([]run{{Rate: 1, P99: 30, ServerRSS: 5}, {Rate: 2, P99: 10, ServerRSS: 4}, {Rate: 3, P99: 20, ServerRSS: 6}})
	require.Equal(t, run{Rate: 2, P99: 20, ServerRSS: 5}, got)
}

func (r run) withoutMemory() run {
	r.ServerRSS = 0
	return r
}
