package etag_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/etag"
)

func TestIsNoneMatch(t *testing.T) {
	t.Parallel()
	tag := etag.OfBody([]byte("[]"))
	require.Regexp(t, `^"[A-Za-z0-9_-]{24}"$`, tag)
	require.NotEqual(t, tag, etag.OfBody([]byte("[ ]")))
	for value, want := range map[string]bool{
		tag: true, "W/" + tag: true, " " + tag + " ": true, `"other", ` + tag: true, `"other",W/` + tag: true, "*": true, " * ": true,
		"": false, `"other"`: false, tag[1 : len(tag)-1]: false, "w/" + tag: false, `"` + tag: false, tag + tag: false, "*, *": false, ",": false, `"*"`: false,
	} {
		require.Equal(t, want, etag.IsNoneMatch(value, tag), "%q", value)
	}
}
