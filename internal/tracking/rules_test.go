package tracking_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testdb"
	"github.com/versioner-io/versioner/internal/tracking"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func TestParseStatus(t *testing.T) {
	t.Parallel()
	accepted := map[tracking.Status]string{
		tracking.Pending:   "pending queued scheduled",
		tracking.Started:   "started in_progress init deploying building",
		tracking.Completed: "success succeeded completed complete finished deployed built",
		tracking.Failed:    "failed fail failure error",
		tracking.Aborted:   "aborted abort cancelled canceled cancel skipped",
	}
	total := 0
	for want, words := range accepted {
		for word := range strings.FieldsSeq(words) {
			total++
			for _, spelling := range []string{word, strings.ToUpper(word), " " + word + "\n", strings.ToUpper(word[:1]) + word[1:]} {
				got, ok := tracking.ParseStatus(spelling)
				require.True(t, ok, spelling)
				require.Equal(t, want, got, spelling)
			}
		}
		require.Equal(t, want != tracking.Pending && want != tracking.Started, want.Final())
	}
	require.Len(t, tracking.AcceptedStatusWords(), total)
	for _, word := range []string{"", " ", "done", "ok", "in progress", "in-progress", "complete d", "start", "passed", "\x00"} {
		_, ok := tracking.ParseStatus(word)
		require.False(t, ok, word)
	}
}

func TestInferEnvironmentType(t *testing.T) {
	t.Parallel()
	for want, names := range map[tracking.EnvironmentType]string{
		tracking.DevType:        "dev develop development local sandbox DEV dev-team-a team_a.dev dev/eu my:local prod-sandbox",
		tracking.TestType:       "test testing qa integration ci qa-smoke QA_1 eu-test test-prod nonprod-qa non-prod-ci",
		tracking.StagingType:    "staging stage uat preprod pre-prod pre-production pre_prod PRE.PROD preview eu-staging-1 preview-prod pre-prod-eu pre-live",
		tracking.ProductionType: "production prod live Prod production-us-east eu_prod-1 prod/eu live-2",
		tracking.OtherType:      "latest delivery device contest non-prod not-prod nonprod products prod1 preprods aliveness demo eu-west-1 - __ 生产 reproduction",
	} {
		for name := range strings.FieldsSeq(names) {
			require.Equal(t, want, tracking.InferEnvironmentType(name), name)
		}
	}
	require.Equal(t, tracking.ProductionType, tracking.InferEnvironmentType("Europe (prod)"))
	require.Equal(t, tracking.OtherType, tracking.InferEnvironmentType(""))
}
