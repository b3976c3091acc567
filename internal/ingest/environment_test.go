package ingest_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
)

func TestInferEnvironmentType(t *testing.T) {
	t.Parallel()
	for want, names := range map[ingest.EnvironmentType]string{
		ingest.DevType: `dev develop development local sandbox DEV dev1 dev-team-a team_a.dev dev/eu my:local prod-sandbox
			review pr mr feature branch ephemeral review/fix-live-chat pr-123 pr123 MR_7 feature/prod-login branch-main-production
			prod-eu-review staging-ephemeral-4 qa-pr-9 live/branch preview/pr-5`,
		ingest.TestType: `test testing qa integration ci qa-smoke QA_1 qa3 test12 eu-test test-prod nonprod-qa non-prod-ci`,
		ingest.StagingType: `staging stage stg uat preprod preproduction preview pre-prod pre-production pre_prod PRE.PROD stg2 uat1
			preprod1 pre-prod1 pre1-prod2 pre-2-prod eu-staging-1 preview-prod pre-prod-eu pre-live pre-prd staging-qa`,
		ingest.ProductionType: `production prod prd live Prod prod1 prd2 live-2 prod٣ production-us-east eu_prod-1 prod/eu`,
		ingest.OtherType: `latest delivery device contest non-prod not-prod no-prod non-prod1 non-1-prod nonprod products 1prod preprods
			aliveness demo eu-west-1 - __ 1 42 生产 reproduction previews reviewer prs main branches prods stgs`,
	} {
		for name := range strings.FieldsSeq(names) {
			require.Equal(t, want, ingest.InferEnvironmentType(name), name)
		}
	}
	require.Equal(t, ingest.ProductionType, ingest.InferEnvironmentType("Europe (prod)"))
	require.Equal(t, ingest.DevType, ingest.InferEnvironmentType("Review of live"))
	require.Equal(t, ingest.OtherType, ingest.InferEnvironmentType("prod\u0301"), "a combining mark makes it another word")
	require.Equal(t, ingest.OtherType, ingest.InferEnvironmentType(""))
}

// FuzzInferEnvironmentType checks each inferred type against the tokens that may cause it.
func FuzzInferEnvironmentType(f *testing.F) {
	for _, seed := range []string{"production-us-east", "non-prod", "pre prod", "LIVE", "latest", "prod.qa", "Ünïcödé-live", "non-prod-prod", "прод", "qa3", "pr/prod1"} {
		f.Add(seed)
	}
	reviewTokens := strings.Fields("review pr mr feature branch ephemeral")
	tokens := map[ingest.EnvironmentType][]string{
		ingest.DevType:        strings.Fields("dev develop development local sandbox"),
		ingest.TestType:       strings.Fields("test testing qa integration ci"),
		ingest.StagingType:    strings.Fields("staging stage stg uat preprod preproduction preview"),
		ingest.ProductionType: strings.Fields("production prod prd live"),
	}
	f.Fuzz(func(t *testing.T, name string) {
		inferred := ingest.InferEnvironmentType(name)
		capitals := strings.ToUpper(name)
		isReversible := strings.ToLower(capitals) == strings.ToLower(name) //nolint:staticcheck // compared letter by letter
		if again := ingest.InferEnvironmentType(capitals); isReversible && again != inferred {
			t.Fatalf("%q is %s, in capitals %s", name, inferred, again)
		}
		found := make(map[ingest.EnvironmentType]bool)
		isReview := false
		for _, token := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
			return !unicode.In(r, unicode.Letter, unicode.Nd, unicode.Mark)
		}) {
			token = strings.TrimRightFunc(token, unicode.IsDigit)
			isReview = isReview || slices.Contains(reviewTokens, token)
			for kind, words := range tokens {
				found[kind] = found[kind] || slices.Contains(words, token)
			}
		}
		isNarrow := found[ingest.DevType] || found[ingest.TestType] || found[ingest.StagingType]
		isValid := map[ingest.EnvironmentType]bool{
			ingest.DevType:        isReview || found[ingest.DevType],
			ingest.TestType:       found[ingest.TestType] && !isReview,
			ingest.StagingType:    (found[ingest.StagingType] || found[ingest.ProductionType]) && !isReview,
			ingest.ProductionType: found[ingest.ProductionType] && !isNarrow && !isReview,
			ingest.OtherType:      !isNarrow && !isReview,
		}
		if !isValid[inferred] {
			t.Fatalf("%q is %s", name, inferred)
		}
	})
}
