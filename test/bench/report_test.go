package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReport(t *testing.T) {
	t.Parallel()
	b := &bench{options: options{Connections: []int{1, 64}}, series: []*series{
		{phase: phaseMinimal, label: "(a)", connections: 1, runs: []run{{Rate: 100, P50: 2}, {Rate: 10, P50: 20}}},
		{phase: phaseServer, label: "(b)", connections: 1, runs: []run{{Rate: 50, P50: 6}, {Rate: 5, P50: 60}}},
		{phase: phaseServer, label: "(b)", connections: 64, runs: []run{{Rate: 7}}},
		{phase: phaseNotifications, label: labelQuiet, connections: 64, runs: []run{{Rate: 10}}},
		{phase: phaseNotifications, label: labelNotified, connections: 64, runs: []run{{Rate: 9}}},
	}}
	lone := b.result(b.series[1])
	require.InDelta(t, 0.5, lone.RateOverMinimal, 1e-9)
	require.InDelta(t, 3.0, lone.P50OverMinimal, 1e-9)
	require.Zero(t, b.result(b.series[2]).RateOverMinimal, "there is no minimal transaction with as many connections")
	require.Equal(t, []ratio{
		{Name: "server / minimal transaction, 1 connection", Value: 0.5},
		{Name: "with / without a notification channel", Value: 0.9},
	}, b.ratios())
}

func TestAlign(t *testing.T) {
	t.Parallel()
	require.Equal(t, "phase   µs\nlonger   –\n", align([][]string{{"phase", "µs"}, {"longer", "–"}}))
	for line := range strings.Lines(align([][]string{{"\ntitle", "a"}, {"a row", "123"}})) {
		require.NotContains(t, strings.TrimSuffix(line, "\n"), "\t")
	}
}
