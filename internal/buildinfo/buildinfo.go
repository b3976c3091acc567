// Package buildinfo reports which build of the program is running: version, commit and date.
package buildinfo

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"
)

// The linker sets these, such as -ldflags "-X github.com/versioner-io/versioner/internal/buildinfo.version=1.2.3". Builds in a
// Git clone have commit and date without it.
//
//nolint:gochecknoglobals // the linker sets them
var version, commit, date string

const unknown = "unknown"

// Info identifies a build.
type Info struct{ Version, Commit, Date string }

// Read returns what the linker and the Go toolchain recorded about this build. Missing parts are "unknown".
func Read() Info {
	info, _ := debug.ReadBuildInfo()
	return read(info)
}

// Version returns the version of this build.
func Version() string { return Read().Version }

// String returns one line for --version.
func (i Info) String() string {
	return fmt.Sprintf("versionerd %s (commit %s, %s)", i.Version, i.Commit, i.Date)
}

func read(info *debug.BuildInfo) Info {
	result := Info{Version: version, Commit: commit, Date: date}
	if info != nil {
		settings := map[string]string{}
		for _, setting := range info.Settings {
			settings[setting.Key] = setting.Value
		}
		revision := settings["vcs.revision"]
		if settings["vcs.modified"] == "true" {
			revision += "+modified"
		}
		result.Version = cmp.Or(result.Version, strings.TrimPrefix(strings.Trim(info.Main.Version, "()"), "v"))
		result.Commit = cmp.Or(result.Commit, revision)
		result.Date = cmp.Or(result.Date, settings["vcs.time"])
	}
	return Info{Version: cmp.Or(result.Version, unknown), Commit: cmp.Or(result.Commit, unknown), Date: cmp.Or(result.Date, unknown)}
}
