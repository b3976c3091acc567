package buildinfo

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	t.Parallel()
	stamped := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "9fceb02"}, {Key: "vcs.time", Value: "2026-11-23T14:56:06Z"}, {Key: "vcs.modified", Value: "false"},
	}}
	require.Equal(t, "versionerd 1.2.3 (commit 9fceb02, 2026-11-23T14:56:06Z)", read(stamped).String())
	stamped.Settings[2].Value = "true"
	require.Equal(t, "9fceb02+modified", read(stamped).Commit)
	require.Equal(t, Info{Version: "devel", Commit: "unknown", Date: "unknown"}, read(&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}))
	require.Equal(t, Info{Version: "unknown", Commit: "unknown", Date: "unknown"}, read(nil))
}
