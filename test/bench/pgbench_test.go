package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParsePgbenchLog(t *testing.T) {
	t.Parallel()
	w := window{from: time.Unix(1000, 500_000_000), to: time.Unix(1002, 500_000_000)}
	t.Run("CountsWhatEndedWithinTheWindow", func(t *testing.T) {
		t.Parallel()
		latencies, err := parsePgbenchLog(strings.NewReader("0 1 900 0 1000 500000\n0 2 1100 0 1000 500001\n1 1 1200 0 1002 500000\n1 2 1300 0 1002 500001\n"), w)
		require.NoError(t, err)
		require.Equal(t, []time.Duration{1100 * time.Microsecond, 1200 * time.Microsecond}, latencies)
	})
	for name, log := range map[string]string{
		"RefusesFailedTransactions": "0 1 failed 0 1001 0\n",
		"RefusesShortLines":         "0 1 900\n",
		"RefusesOtherText":          "0 1 900 0 yesterday 0\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parsePgbenchLog(strings.NewReader(log), w)
			require.Error(t, err)
		})
	}
}
