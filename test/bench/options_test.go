package main

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	t.Run("Defaults", func(t *testing.T) {
		t.Parallel()
		o, err := parseOptions(nil, io.Discard)
		require.NoError(t, err)
		require.Equal(t, []int{1, 8, 64, 256}, o.Connections)
		require.Equal(t, []int{1, 64, 256}, o.baselineConnections())
		require.Equal(t, allPhases(), o.Phases)
		require.Equal(t, mixEnd, o.Mix)
	})
	t.Run("QuickLeavesWhatIsGiven", func(t *testing.T) {
		t.Parallel()
		o, err := parseOptions([]string{"-quick", "-duration", "2s", "-only", "server,minimal"}, io.Discard)
		require.NoError(t, err)
		require.Equal(t, 1, o.Runs)
		require.Equal(t, 2*time.Second, o.Duration)
		require.Equal(t, []string{phaseServer, phaseMinimal}, o.Phases)
	})
	for _, args := range [][]string{
		{"-mix", "both"}, {"-only", "servers"}, {"-connections", "0"}, {"-connections", "1,300"}, {"-connections", ""}, {"-runs", "0"}, {"-duration", "0s"}, {"more"},
	} {
		_, err := parseOptions(args, io.Discard)
		require.Error(t, err, args)
	}
}
