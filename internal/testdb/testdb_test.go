package testdb

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// TestOnlyAMissingPostgreSQLSkips sets the variable of CI, so it is not parallel.
func TestOnlyAMissingPostgreSQLSkips(t *testing.T) {
	missing := fmt.Errorf("start a test server: %w", embeddedpg.ErrNoBinaries)
	t.Setenv("CI", "")
	require.True(t, maySkip(missing))
	require.False(t, maySkip(errors.New("migrate the template: syntax error")))
	require.False(t, maySkip(nil))
	t.Setenv("CI", "true")
	require.False(t, maySkip(missing))
}
