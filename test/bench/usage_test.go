package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	p, err := parseStat([]byte("712 (postgres: a (b) c) S 700 712 712 0 -1 4194560 900 50 0 0 120 30 400 60 20 0 1 0 5000 200 300"))
	require.NoError(t, err)
	require.Equal(t, process{id: 712, parent: 700, own: 1500 * time.Millisecond, reaped: 4600 * time.Millisecond}, p)
	for _, text := range []string{"", "712 (postgres) S 700", "x (postgres) S 700 712 712 0 -1 4194560 900 50 0 0 120 30 400 60 20", "712 (postgres) S 700 712 712 0 -1 4194560 900 50 0 0 120 y 400 60 20"} {
		_, err := parseStat([]byte(text))
		require.Error(t, err, text)
	}
}

func TestCPUOfTree(t *testing.T) {
	t.Parallel()
	all := []process{
		{id: 1, parent: 0, own: 1000, reaped: 5000},
		{id: 10, parent: 1, own: 1, reaped: 2},
		{id: 11, parent: 10, own: 30},
		{id: 12, parent: 10, own: 100, reaped: 200},
		{id: 13, parent: 12, own: 400},
		{id: 20, parent: 1, own: 9000},
	}
	require.Equal(t, time.Duration(733), cpuOfTree(all, 10))
	require.Equal(t, time.Duration(1), cpuOf(all, 10))
	require.Zero(t, cpuOfTree(all, 0), "there is no such process")
	require.Zero(t, cpuOf(all, 99))
}

func TestParseBusy(t *testing.T) {
	t.Parallel()
	busy, err := parseBusy("cpu  100 1 50 9000 800 2 3 4 70 60\ncpu0 1 1 1 1 1 1 1 1\n")
	require.NoError(t, err)
	require.Equal(t, 1600*time.Millisecond, busy)
	_, err = parseBusy("cpu 1 2\n")
	require.Error(t, err)
}

func TestParseResident(t *testing.T) {
	t.Parallel()
	mebibytes, err := parseResident("Name:\tversionerd\nVmHWM:\t   90112 kB\nVmRSS:\t   43008 kB\nThreads:\t9\n")
	require.NoError(t, err)
	require.InDelta(t, 42.0, mebibytes, 0)
	_, err = parseResident("Name:\tversionerd\nState:\tZ (zombie)\n")
	require.Error(t, err)
}

func TestOtherShare(t *testing.T) {
	t.Parallel()
	begin := time.Unix(0, 0)
	w := window{from: begin, to: begin.Add(time.Second), server: time.Second, busy: 900 * time.Millisecond}
	require.Zero(t, w.otherShare(), "clocks are coarse: never negative")
	require.Zero(t, window{}.otherShare())
}
