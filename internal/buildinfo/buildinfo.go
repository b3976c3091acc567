// Package buildinfo reports which build of the program is running: version, commit and date.
package buildinfo

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
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

// String returns one line for --version, such as 1.0.0 (a1b2c3d, 2026-11-28, go1.26.10, linux/amd64).
func (i Info) String() string {
	return fmt.Sprintf("%s (%s, %s, %s, %s/%s)", i.Version, i.shortCommit(), i.day(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// shortCommit shortens a full hash. It keeps the mark of a modified working tree.
func (i Info) shortCommit() string {
	const full, short = 40, 12
	hash, mark := i.Commit, ""
	if at := strings.IndexAny(hash, "+-"); at >= 0 {
		hash, mark = hash[:at], hash[at:]
	}
	if len(hash) == full {
		hash = hash[:short]
	}
	return hash + mark
}

func (i Info) day() string {
	commitTime, err := i.Time()
	if err != nil {
		return unknown
	}
	return commitTime.Format(time.DateOnly)
}

// Time returns the time of the commit in UTC.
func (i Info) Time() (time.Time, error) {
	commitTime, err := time.Parse(time.RFC3339, i.Date)
	if err != nil {
		return time.Time{}, fmt.Errorf("parse the date of the build: %w", err)
	}
	return commitTime.UTC(), nil
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
