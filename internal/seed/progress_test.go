package seed_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/seed"
)

func tell(columns int) string {
	var out strings.Builder
	progress := seed.NewProgress(&out, columns, 4000)
	for done := 0; done <= 4000; done += 10 {
		progress.Tell(done)
	}
	progress.Close()
	return out.String()
}

func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	for _, columns := range []int{1, 40, 80, 200} {
		said := tell(columns)
		require.Equal(t, 101, strings.Count(said, "\r"), "as often as it changes")
		require.True(t, strings.HasSuffix(said, "100 %  4,000 of 4,000 events\n"), said)
		require.Equal(t, 1, strings.Count(said, "\n"))
	}
	for line := range strings.SplitSeq(strings.TrimSpace(tell(80)), "\r") {
		require.Less(t, len(line), 80, "it fits")
	}
	require.Contains(t, tell(80), "\r[====================                    ]  50 %  2,000 of 4,000 events")
}

func TestProgressElsewhere(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1,000 of 4,000 events\n2,000 of 4,000 events\n3,000 of 4,000 events\n4,000 of 4,000 events\n", tell(0))
}

func TestProgressThatNeverBegan(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	seed.NewProgress(&out, 80, 10).Close()
	require.Empty(t, out.String())
}
