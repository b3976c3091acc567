package policy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/policy"
)

// TestWordsAreThoseOfTheDashboard compares them with the lists that the pages show, in which the first letter may be upper case.
func TestWordsAreThoseOfTheDashboard(t *testing.T) {
	t.Parallel()
	listed := func(file, name string) map[string]string {
		source, err := os.ReadFile("../../web/src/pages/" + file)
		require.NoError(t, err)
		_, list, isFound := strings.Cut(string(source), "export const "+name+":")
		require.True(t, isFound, name)
		list, _, _ = strings.Cut(list, "\n};")
		words := make(map[string]string)
		for _, entry := range regexp.MustCompile(`(?m)^  (\w+): (?:\{.* word: )?"([^"]+)"`).FindAllStringSubmatch(list, -1) {
			words[entry[1]] = entry[2]
			if !strings.HasPrefix(entry[2], "QA") {
				words[entry[1]] = strings.ToLower(entry[2][:1]) + entry[2][1:]
			}
		}
		return words
	}
	approvals, rules, modes := make(map[string]string), make(map[string]string), make(map[string]string)
	for _, approvalType := range policy.ApprovalTypes() {
		approvals[string(approvalType)] = approvalType.Words()
	}
	for _, ruleType := range policy.RuleTypes() {
		rules[string(ruleType)] = ruleType.Words()
	}
	for _, mode := range []policy.Mode{policy.Enabled, policy.ReportOnly, policy.Disabled} {
		modes[string(mode)] = mode.Words()
	}
	require.Equal(t, listed("governance/texts.ts", "APPROVAL_TYPES"), approvals)
	require.Equal(t, listed("governance/texts.ts", "RULE_TYPES"), rules)
	require.Equal(t, listed("rules/rule-texts.ts", "MODES"), modes)
}
