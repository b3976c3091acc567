package ingest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Parts of a SemVer key. In ASCII, the end of an identifier sorts below every character of an identifier, and a release
// above its prereleases.
const (
	keyRelease       = "~"
	keyPrerelease    = "-"
	keyNumeric       = "1"
	keyAlphanumeric  = "2"
	keyIdentifierEnd = "!"
)

// SemVerKey returns a text whose byte order (COLLATE "C") is the precedence of SemVer 2.0; versions that differ in build
// metadata alone have equal keys. It is not ok for a text that is not strict SemVer with an optional leading "v", and for
// a major, minor or patch version beyond 64 bits.
func SemVerKey(version string) (key string, ok bool) {
	parsed, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v"))
	if err != nil {
		return "", false
	}
	var out strings.Builder
	for _, number := range []uint64{parsed.Major(), parsed.Minor(), parsed.Patch()} {
		digits := strconv.FormatUint(number, 10)
		fmt.Fprintf(&out, "%02d%s", len(digits), digits)
	}
	if parsed.Prerelease() == "" {
		out.WriteString(keyRelease)
		return out.String(), true
	}
	out.WriteString(keyPrerelease)
	for identifier := range strings.SplitSeq(parsed.Prerelease(), ".") {
		if strings.Trim(identifier, "0123456789") == "" {
			fmt.Fprintf(&out, "%s%03d", keyNumeric, len(identifier))
		} else {
			out.WriteString(keyAlphanumeric)
		}
		out.WriteString(identifier + keyIdentifierEnd)
	}
	return out.String(), true
}
