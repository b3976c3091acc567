package ingest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
)

func TestParseStatus(t *testing.T) {
	t.Parallel()
	accepted := map[ingest.Status]string{
		ingest.Pending:   "pending queued scheduled",
		ingest.Started:   "started in_progress init deploying building",
		ingest.Completed: "success succeeded completed complete finished deployed built",
		ingest.Failed:    "failed fail failure error",
		ingest.Aborted:   "aborted abort cancelled canceled cancel skipped",
	}
	total := 0
	for want, words := range accepted {
		for word := range strings.FieldsSeq(words) {
			total++
			for _, spelling := range []string{word, strings.ToUpper(word), " " + word + "\n", strings.ToUpper(word[:1]) + word[1:]} {
				got, ok := ingest.ParseStatus(spelling)
				require.True(t, ok, spelling)
				require.Equal(t, want, got, spelling)
			}
		}
		require.Equal(t, want != ingest.Pending && want != ingest.Started, want.IsTerminal())
	}
	require.Len(t, ingest.StatusAliases(), total)
	for _, word := range []string{"", " ", "done", "ok", "in progress", "in-progress", "complete d", "start", "passed", "\x00"} {
		_, ok := ingest.ParseStatus(word)
		require.False(t, ok, word)
	}
}

// FuzzParseStatus checks that exactly the listed words are accepted, whatever their case and surrounding white space.
func FuzzParseStatus(f *testing.F) {
	for _, seed := range []string{"success", " FAILED\n", "Cancelled", "ſuccess", "done", "", "completed\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		status, known := ingest.ParseStatus(text)
		if known != slices.Contains(ingest.StatusAliases(), strings.ToLower(strings.TrimSpace(text))) {
			t.Fatalf("%q: known %v", text, known)
		}
		if again, _ := ingest.ParseStatus(string(status)); known && again != status {
			t.Fatalf("%q is %q, which is %q", text, status, again)
		}
	})
}
