package httpapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
)

// TestTimeouts requires time for the attempt of a test message, which takes 15 seconds at most, and no more than the contract's
// deadline for other operations.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	require.Greater(t, timeoutOf("testNotificationChannel"), 15*time.Second)
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	for _, path := range document.Paths.Map() {
		for _, operation := range path.Operations() {
			isOutbound := operation.Extensions["x-outbound"] == true
			require.Equal(t, isOutbound, timeoutOf(operation.OperationID) > 10*time.Second, operation.OperationID)
		}
	}
}
