package ingest_test

import (
	"cmp"
	"regexp"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/versioner-io/versioner/internal/ingest"
)

func TestSemVerKeyOrdersByPrecedence(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 60)
	ascending := []string{
		"0.0.0-0", "0.0.0", "0.0.1", "0.1.0", "0.9.99", "0.10.0",
		"1.0.0--", "1.0.0-0a", "1.0.0-A", "1.0.0-a", "1.0.0-a-b", "1.0.0-a0", "1.0.0-aa",
		"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "v1.0.0",
		"1.0.1-99", "1.0.1-100", "1.0.1-100.0", "1.0.1-" + long, "1.0.1-1" + long, "1.0.1-1" + long + ".x", "1.0.1-" + long + "x",
		"1.0.1", "1.2.9", "v1.2.10", "2.0.0-0.3.7", "2.0.0-x-y-z.4", "2.0.0", "9.0.0", "10.0.0", "99999999999.0.0", "18446744073709551615.0.0",
	}
	for i, lower := range ascending {
		lowerKey, ok := ingest.SemVerKey(lower)
		require.True(t, ok, lower)
		for _, higher := range ascending[i+1:] {
			higherKey, ok := ingest.SemVerKey(higher)
			require.True(t, ok, higher)
			require.Less(t, lowerKey, higherKey, "%s < %s", lower, higher)
		}
	}
}

func TestSemVerKeyIgnoresBuildMetadata(t *testing.T) {
	t.Parallel()
	want, ok := ingest.SemVerKey("1.0.0-rc.1")
	require.True(t, ok)
	for _, version := range []string{"v1.0.0-rc.1", "1.0.0-rc.1+1", "v1.0.0-rc.1+exp.sha-5114f85", "1.0.0-rc.1+007"} {
		key, ok := ingest.SemVerKey(version)
		require.True(t, ok, version)
		require.Equal(t, want, key, version)
	}
}

func TestSemVerKeyRefusesOtherVersions(t *testing.T) {
	t.Parallel()
	for _, version := range []string{
		"", "v", "1", "1.2", "v1.2", "1.2.3.4", "1.2.x", "01.2.3", "1.02.3", "1.2.03", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3-a.", "1.2.3-é",
		"1.2.3+", "1.2.3+a..b", "1.2.3+é", "V1.2.3", "vv1.2.3", "v 1.2.3", " 1.2.3", "1.2.3 ", "1.2.3\n", "-1.2.3", "+1.2.3", "1.-2.3", "1_0.0.0",
		"18446744073709551616.0.0", "0.18446744073709551616.0", "0.0.18446744073709551616", "latest", "main", "2026-11-21", "1.2.3-\x00", "1.2.3-!",
	} {
		_, ok := ingest.SemVerKey(version)
		require.False(t, ok, version)
	}
}

func TestSemVerKeyAgreesWithLibrary(t *testing.T) {
	t.Parallel()
	number := rapid.StringMatching(`0|[1-9][0-9]{0,2}|[1-9][0-9]{15,18}`)
	identifier := rapid.OneOf(number, rapid.StringMatching(`[0-9]{0,2}[A-Za-z-][0-9A-Za-z-]{0,4}`), rapid.SampledFrom([]string{"alpha", "beta", "rc", "-", "a-", "a0"}))
	version := rapid.Custom(func(t *rapid.T) string {
		text := number.Draw(t, "major") + "." + number.Draw(t, "minor") + "." + number.Draw(t, "patch")
		if pre := rapid.SliceOfN(identifier, 0, 3).Draw(t, "prerelease"); len(pre) > 0 {
			text += "-" + strings.Join(pre, ".")
		}
		if rapid.Bool().Draw(t, "has metadata") {
			text += "+" + identifier.Draw(t, "metadata")
		}
		return text
	})
	rapid.Check(t, func(t *rapid.T) {
		one, other := version.Draw(t, "one"), version.Draw(t, "other")
		if rapid.Bool().Draw(t, "equal core") { // else few pairs would differ in their prereleases alone
			core, _, _ := strings.Cut(one, "-")
			core, _, _ = strings.Cut(core, "+")
			if at := strings.IndexAny(other, "-+"); at >= 0 {
				other = core + other[at:]
			}
		}
		oneKey, oneOK := ingest.SemVerKey(one)
		otherKey, otherOK := ingest.SemVerKey("v" + other)
		if !oneOK || !otherOK {
			t.Fatalf("%s: %v, %s: %v", one, oneOK, other, otherOK)
		}
		if want, got := semver.MustParse(one).Compare(semver.MustParse(other)), cmp.Compare(oneKey, otherKey); want != got {
			t.Fatalf("%s and %s compare as %d, their keys %q and %q as %d", one, other, want, oneKey, otherKey, got)
		}
	})
}

// FuzzSemVerKey accepts what the regular expression of semver.org accepts, and a leading "v".
func FuzzSemVerKey(f *testing.F) {
	for _, seed := range []string{"1.2.3", "v1.0.0-rc.1+x", "1.0.0-", "1.0.0-01", "1.0.0+", "01.0.0", "1.0", "1.0.0-a.-", "99999999999999999999.0.0"} {
		f.Add(seed)
	}
	valid := regexp.MustCompile(`^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$`)
	huge := regexp.MustCompile(`^[^-+]*\d{20}`)
	f.Fuzz(func(t *testing.T, version string) {
		_, ok := ingest.SemVerKey(version)
		if want := valid.MatchString(version); ok != want && !huge.MatchString(version) && len(version) <= 255 {
			t.Fatalf("%q: %v, not %v", version, ok, want)
		}
	})
}
