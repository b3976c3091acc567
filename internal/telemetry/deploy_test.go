package telemetry

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

const (
	alertsFile    = "../../deploy/prometheus/alerts.yaml"
	testsFile     = "../../deploy/prometheus/alerts_test.yaml"
	dashboardFile = "../../deploy/grafana/versioner.json"
	documentFile  = "../../docs/operations.md"
)

// rule is an alert.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, alertsFile)), &file))
	require.Len(t, file.Groups, 1)
	require.NotEmpty(t, file.Groups[0].Rules)
	return file.Groups[0].Rules
}

// panels returns the queries of the dashboard by panel, with values for its variables.
func panels(t *testing.T) map[string][]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title, Description, Type string
			Targets                  []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, dashboardFile)), &dashboard))
	queries := make(map[string][]string)
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$job", "versioner", "$instance", ".*")
	for _, panel := range dashboard.Panels {
		if panel.Type == "row" {
			continue
		}
		require.NotEmpty(t, panel.Targets, panel.Title)
		require.NotEmpty(t, panel.Description, panel.Title)
		require.NotContains(t, queries, panel.Title)
		for _, target := range panel.Targets {
			queries[panel.Title] = append(queries[panel.Title], variables.Replace(target.Expr))
		}
	}
	return queries
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

var metricName = regexp.MustCompile(`\bversioner_[a-z_]+`)

// metricsIn returns the metrics that a query names. Those of a histogram are its own.
func metricsIn(query string) []string {
	var names []string
	for _, name := range metricName.FindAllString(query, -1) {
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			name = strings.TrimSuffix(name, suffix)
		}
		names = append(names, name)
	}
	return names
}

// TestNames holds the names of metrics in the registry, the documentation, the alerts and the dashboard against each other.
func TestNames(t *testing.T) {
	t.Parallel()
	known := registered(t)
	names := slices.Sorted(maps.Keys(known))

	t.Run("Documentation", func(t *testing.T) {
		t.Parallel()
		row := regexp.MustCompile("(?m)^\\| `(versioner_[a-z_]+)(?:\\{([a-z,]+)\\})?` \\| (\\w+)")
		var documented []string
		for _, found := range row.FindAllStringSubmatch(read(t, documentFile), -1) {
			name := found[1]
			documented = append(documented, name)
			require.Contains(t, known, name)
			labels := []string{}
			if found[2] != "" {
				labels = strings.Split(found[2], ",")
			}
			require.ElementsMatch(t, labels, labelsOf(known[name]), name)
			require.Equal(t, strings.ToLower(known[name].GetType().String()), found[3], name)
		}
		slices.Sort(documented)
		require.Equal(t, names, documented)
	})
	t.Run("Alerts", func(t *testing.T) {
		t.Parallel()
		for _, alert := range alerts(t) {
			require.NotEmpty(t, metricsIn(alert.Expr), alert.Alert)
			require.Subset(t, names, metricsIn(alert.Expr), alert.Alert)
		}
	})
	t.Run("Dashboard", func(t *testing.T) {
		t.Parallel()
		var shown []string
		for title, queries := range panels(t) {
			for _, query := range queries {
				require.Subset(t, names, metricsIn(query), title)
				shown = append(shown, metricsIn(query)...)
			}
		}
		slices.Sort(shown)
		require.Equal(t, names, slices.Compact(shown), "every metric has a panel")
	})
}

// TestRunbooks requires a heading for each alert, and an alert for each heading.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	_, section, found := strings.Cut(read(t, documentFile), "\n## Alerts\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var headings, urls []string
	for _, heading := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(section, -1) {
		headings = append(headings, "https://github.com/versioner-io/versioner/blob/main/docs/operations.md#"+strings.ToLower(heading[1]))
	}
	for _, alert := range alerts(t) {
		urls = append(urls, alert.Annotations["runbook_url"])
		require.True(t, strings.HasSuffix(alert.Annotations["runbook_url"], "#"+strings.ToLower(alert.Alert)), alert.Alert)
	}
	require.Equal(t, urls, headings)
}

// TestRules runs promtool on the alerts, their tests and the queries of the dashboard.
func TestRules(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", "--lint-fatal", alertsFile)
	promtool(t, "test", "rules", testsFile)

	type query struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var queries []query
	for _, title := range slices.Sorted(maps.Keys(panels(t))) {
		for _, expr := range panels(t)[title] {
			queries = append(queries, query{Record: fmt.Sprintf("panel:%d", len(queries)), Expr: expr})
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": queries}}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "panels.yaml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	promtool(t, "check", "rules", "--lint-fatal", file)
}

// TestEachAlertIsTested requires a test in which each alert fires, and one in which it does not.
func TestEachAlertIsTested(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			Rules []struct {
				Name   string `yaml:"alertname"`
				Alerts []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, testsFile)), &file))
	fires, isSilent := make(map[string]bool), make(map[string]bool)
	for _, test := range file.Tests {
		for _, expected := range test.Rules {
			if len(expected.Alerts) > 0 {
				fires[expected.Name] = true
			} else {
				isSilent[expected.Name] = true
			}
		}
	}
	for _, alert := range alerts(t) {
		require.True(t, fires[alert.Alert] && isSilent[alert.Alert], alert.Alert)
	}
}

// promtool runs the program of Prometheus, which .ci/promtool installs.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("promtool is missing: .ci/promtool installs it")
	}
	require.NoError(t, err, "promtool is missing: .ci/promtool installs it")
	output, err := exec.Command(path, args...).CombinedOutput()
	require.NoError(t, err, "%s", output)
}
