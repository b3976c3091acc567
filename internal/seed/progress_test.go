package seed_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/seed"
)

func report(columns int) string {
	var out strings.Builder
	progress := seed.NewProgress(&out, columns, 4000)
	for done := 0; done <= 4000; done += 10 {
		progress.Report(done)
	}
	progress.Close()
	return out.String()
}

func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	for _, columns := range []int{1, 40, 80, 200} {
		output := report(columns)
		require.Equal(t, 101, strings.Count(output, "\r"), "once for each percent")
		require.True(t, strings.HasSuffix(output, "100 %  4,000 of 4,000 events\n"), output)
		require.Equal(t, 1, strings.Count(output, "\n"))
	}
	for line := range strings.SplitSeq(strings.TrimSpace(report(80)), "\r") {
		require.Less(t, len(line), 80, "it fits")
	}
	require.Contains(t, report(80), "\r[====================                    ]  50 %  2,000 of 4,000 events")
}

func TestProgressElsewhere(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1,000 of 4,000 events\n2,000 of 4,000 events\n3,000 of 4,000 events\n4,000 of 4,000 events\n", report(0))
}

func TestProgressWithoutReports(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	seed.NewProgress(&out, 80, 10).Close()
	require.Empty(t, out.String())
}
