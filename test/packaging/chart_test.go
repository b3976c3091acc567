package packaging

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const chartDir = root + "/deploy/helm/versioner"

// release has the rendered objects of the chart by kind and name.
type release map[string]string

func render(t *testing.T, values map[string]any) (release, error) {
	t.Helper()
	chart, err := loader.Load(chartDir)
	require.NoError(t, err)
	input, err := util.ToRenderValues(chart, values, common.ReleaseOptions{Name: "versioner", Namespace: "tools", Revision: 1, IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, input)
	if err != nil {
		return nil, err
	}
	objects := make(release)
	for _, content := range files {
		for document := range strings.SplitSeq("\n"+content, "\n---") {
			var object struct {
				Kind     string
				Metadata struct{ Name, Namespace string }
			}
			if yaml.Unmarshal([]byte(document), &object) != nil || object.Kind == "" {
				continue // NOTES.txt, and templates without output
			}
			require.Equal(t, "tools", object.Metadata.Namespace, object.Kind)
			objects[object.Kind+"/"+object.Metadata.Name] = document
		}
	}
	return objects, nil
}

func (r release) decode(t *testing.T, name string, object any) {
	t.Helper()
	require.Contains(t, r, name)
	require.NoError(t, yaml.UnmarshalStrict([]byte(r[name]), object), name)
}

func chartValues(t *testing.T) map[string]map[string]any {
	t.Helper()
	paths, err := filepath.Glob(chartDir + "/ci/*-values.yaml")
	require.NoError(t, err)
	require.Len(t, paths, 3)
	all := make(map[string]map[string]any)
	for _, path := range paths {
		values, err := common.ReadValuesFile(path)
		require.NoError(t, err)
		all[strings.TrimSuffix(filepath.Base(path), "-values.yaml")] = values
	}
	return all
}

// TestChart lints and renders the chart with each file of values, as `helm lint --strict` and `helm template`, and validates the objects.
func TestChart(t *testing.T) {
	t.Parallel()
	builtIn := t.TempDir()
	for name, values := range chartValues(t) {
		t.Run(name, func(t *testing.T) {
			for _, message := range lint.RunAll(chartDir, values, "tools").Messages {
				require.NoError(t, message)
			}
			objects, err := render(t, values)
			require.NoError(t, err)
			for object, content := range objects {
				if strings.Contains(content, "apiVersion: monitoring.coreos.com/") {
					continue // not in Kubernetes' own schemas: TestChartMonitoring
				}
				require.NoError(t, os.WriteFile(filepath.Join(builtIn, name+"-"+strings.ReplaceAll(object, "/", "-")+".yaml"), []byte(content), 0o600))
			}
			requirePods(t, objects, values)
		})
	}
	for _, version := range []string{"1.27", "1.30"} {
		command := exec.CommandContext(t.Context(), "go", "-C", "kubernetes", "tool", "kubectl-validate", "--version", version, builtIn)
		output, err := command.CombinedOutput()
		require.NoError(t, err, "Kubernetes %s: %s", version, output)
	}
}

// requirePods checks the security of the pods, and that the program accepts their settings.
func requirePods(t *testing.T, objects release, values map[string]any) {
	t.Helper()
	var deployment apps.Deployment
	objects.decode(t, "Deployment/versioner", &deployment)
	pods := map[string]core.PodSpec{"server": deployment.Spec.Template.Spec}
	if _, hasJob := objects["Job/versioner-migrate"]; hasJob {
		var job batch.Job
		objects.decode(t, "Job/versioner-migrate", &job)
		pods["migrate"] = job.Spec.Template.Spec
	}
	for name, pod := range pods {
		require.True(t, *pod.SecurityContext.RunAsNonRoot, name)
		require.False(t, *pod.AutomountServiceAccountToken, name)
		container := pod.Containers[0]
		require.True(t, *container.SecurityContext.ReadOnlyRootFilesystem, name)
		require.False(t, *container.SecurityContext.AllowPrivilegeEscalation, name)
		require.Equal(t, []core.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop, name)
		mounted := make(map[string]bool)
		for _, item := range pod.Volumes[0].Secret.Items {
			mounted[container.VolumeMounts[0].MountPath+"/"+item.Path] = true
		}
		require.GreaterOrEqual(t, len(mounted), 3)
		variables := make(map[string]string)
		for _, variable := range container.Env {
			require.Nil(t, variable.ValueFrom, "secrets are files, not variables: %s", variable.Name)
			variables[variable.Name] = variable.Value
			if strings.HasSuffix(variable.Name, "_FILE") {
				require.True(t, mounted[variable.Value], variable.Value)
				delete(mounted, variable.Value)
			}
		}
		require.Empty(t, mounted, "each mounted secret is passed")
		if name == "server" {
			require.Equal(t, "serve", container.Args[0])
			requireConfiguration(t, variables, container.Args[1:]...)
			require.GreaterOrEqual(t, *pod.TerminationGracePeriodSeconds, int64(30), "the drain takes up to 28 seconds")
		} else {
			require.Equal(t, []string{"migrate", "up"}, container.Args)
		}
	}
	if replicas, isSet := values["replicas"]; isSet {
		require.EqualValues(t, replicas, *deployment.Spec.Replicas)
	} else {
		require.EqualValues(t, 2, *deployment.Spec.Replicas)
		require.Len(t, deployment.Spec.Template.Spec.TopologySpreadConstraints, 2)
	}
}

// TestChartMonitoring decodes the objects of the Prometheus operator into its types, which rejects unknown fields.
func TestChartMonitoring(t *testing.T) {
	t.Parallel()
	objects, err := render(t, chartValues(t)["full"])
	require.NoError(t, err)
	var rule monitoring.PrometheusRule
	objects.decode(t, "PrometheusRule/versioner", &rule)
	require.NotEmpty(t, rule.Spec.Groups)
	var monitor monitoring.ServiceMonitor
	objects.decode(t, "ServiceMonitor/versioner", &monitor)
	var service core.Service
	objects.decode(t, "Service/versioner-metrics", &service)
	for label, value := range monitor.Spec.Selector.MatchLabels {
		require.Equal(t, value, service.Labels[label])
	}
	require.Equal(t, service.Spec.Ports[0].Name, monitor.Spec.Endpoints[0].Port)
	var public core.Service
	objects.decode(t, "Service/versioner", &public)
	require.Len(t, public.Spec.Ports, 1, "the metrics are not published with the API")
}

// TestChartValues rejects values that would install a release that cannot run.
func TestChartValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values map[string]any
		reason string
	}{
		"NoSecrets":       {map[string]any{}, "set secrets.existingSecret"},
		"UnknownValue":    {map[string]any{"replicaCount": 3}, "replicaCount"},
		"NoReplicas":      {map[string]any{"replicas": 0}, "replicas"},
		"UnknownVariable": {map[string]any{"settings": map[string]any{"VERSIONER-ADDR": ":80"}}, "VERSIONER-ADDR"},
		"ShortDrain":      {map[string]any{"terminationGracePeriodSeconds": 5}, "terminationGracePeriodSeconds"},
		"Migrations":      {map[string]any{"migrations": map[string]any{"serve": "never"}}, "migrations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, test.values)
			require.ErrorContains(t, err, test.reason)
		})
	}
}

// TestChartVersion holds the versions of the chart to that of the API.
func TestChartVersion(t *testing.T) {
	t.Parallel()
	var document struct{ Info struct{ Version string } }
	require.NoError(t, yaml.Unmarshal(read(t, "openapi.yaml"), &document))
	chart, err := loader.Load(chartDir)
	require.NoError(t, err)
	require.Equal(t, document.Info.Version, chart.Metadata.Version)
	require.Equal(t, document.Info.Version, chart.Metadata.AppVersion)
}

// TestChartTrial creates the Secret before the migration Job needs it, and with the values as they are.
func TestChartTrial(t *testing.T) {
	t.Parallel()
	values := chartValues(t)["trial"]
	maps.DeleteFunc(values, func(name string, _ any) bool { return name == "migrations" })
	objects, err := render(t, values)
	require.NoError(t, err)
	require.Contains(t, slices.Collect(maps.Keys(objects)), "Job/versioner-migrate")
	var secret core.Secret
	objects.decode(t, "Secret/versioner", &secret)
	require.Equal(t, "pre-install,pre-upgrade", secret.Annotations["helm.sh/hook"])
	for name, value := range values["secrets"].(map[string]any)["values"].(map[string]any) {
		require.Equal(t, fmt.Sprint(value), secret.StringData[name])
	}
}
