package ptr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ptr"
)

func TestConversions(t *testing.T) {
	t.Parallel()
	text := "x"
	require.Nil(t, ptr.NonZero(""))
	require.Equal(t, &text, ptr.NonZero("x"))
	require.Equal(t, "x", ptr.Or(&text, "y"))
	require.Equal(t, "y", ptr.Or(nil, "y"))
	require.Equal(t, "x", ptr.OrZero(&text))
	require.Zero(t, ptr.OrZero[int](nil))
}
