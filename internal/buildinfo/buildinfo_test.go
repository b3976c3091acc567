package buildinfo

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	t.Parallel()
	stamped := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "9fceb02"}, {Key: "vcs.time", Value: "2026-11-23T14:56:06Z"}, {Key: "vcs.modified", Value: "false"},
	}}
	platform := runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")"
	require.Equal(t, "1.2.3 (9fceb02, 2026-11-23, "+platform, read(stamped).String())
	stamped.Settings[2].Value = "true"
	require.Equal(t, "9fceb02+modified", read(stamped).Commit)
	stamped.Settings[0].Value, stamped.Settings[1].Value = "9fceb02d0ae598e95dc970b74767f19372d61af8", "2026-11-23T23:30:00-02:00"
	require.Equal(t, "1.2.3 (9fceb02d0ae5+modified, 2026-11-24, "+platform, read(stamped).String())
	require.Equal(t, "unknown (unknown, unknown, "+platform, read(nil).String())
	require.Equal(t, Info{Version: "devel", Commit: "unknown", Date: "unknown"}, read(&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}))
	require.Equal(t, Info{Version: "unknown", Commit: "unknown", Date: "unknown"}, read(nil))
}
