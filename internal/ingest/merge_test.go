package ingest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
)

// TestMetadataOfARun: metadata that later events repeat is kept, also in the batch that creates the run, and what they add is merged.
func TestMetadataOfARun(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for kind, event := range map[string]ingest.Event{"deployments": deployment("shop", "production", "1", ingest.Pending, "7"), "builds": build("shop", "1", ingest.Pending, "7")} {
		stored := func() (metadata string) {
			require.NoError(t, f.conn.QueryRow(t.Context(), "SELECT extra_metadata FROM "+kind).Scan(&metadata))
			return metadata
		}
		for _, step := range []struct {
			status         ingest.Status
			metadata, want string
		}{
			{ingest.Pending, `{"a":{"x":1},"b":2}`, `{"a":{"x":1},"b":2}`},
			{ingest.Started, `{"b":2}`, `{"a":{"x":1},"b":2}`},
			{ingest.Completed, `{"b":3}`, `{"a":{"x":1},"b":3}`},
			{ingest.Failed, `{}`, `{"a":{"x":1},"b":3}`}, // conflicting
		} {
			event.Status, event.Metadata = step.status, []byte(step.metadata)
			_, err := f.record(t, event)
			require.NoError(t, err)
			require.JSONEq(t, step.want, stored(), "%s: %s", kind, step.status)
		}
	}
}
