package etag_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/etag"
)

func TestIsNoneMatch(t *testing.T) {
	t.Parallel()
	tag := etag.OfBody([]byte("[]"))
	require.Regexp(t, `^W/"[A-Za-z0-9_-]{24}"$`, tag)
	require.NotEqual(t, tag, etag.OfBody([]byte("[ ]")))
	tag = strings.TrimPrefix(tag, "W/")
	require.True(t, etag.IsNoneMatch("W/"+tag, "W/"+tag))
	for value, want := range map[string]bool{
		tag: true, "W/" + tag: true, " " + tag + " ": true, `"other", ` + tag: true, `"other",W/` + tag: true, "*": true, " * ": true,
		"": false, `"other"`: false, tag[1 : len(tag)-1]: false, "w/" + tag: false, `"` + tag: false, tag + tag: false, "*, *": false, ",": false, `"*"`: false,
	} {
		require.Equal(t, want, etag.IsNoneMatch(value, tag), "%q", value)
		require.Equal(t, want, etag.IsNoneMatch(value, "W/"+tag), "%q", value)
	}
}
