package telemetry

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/buildinfo"
)

// recordAll records every metric once, so that the registry has each of them.
func recordAll(m *Metrics) {
	m.Request("listDeployments", 200, time.Millisecond)
	m.Authentication("ApiKeyAuth", "accepted")
	m.RateLimit("key", true)
	m.AdmissionRejected("api")
	m.ValidatorGap()
	m.CredentialCache("hit")
	m.ListenerUp(true)
	m.Event("deployment.completed", "created")
	m.Preflight("passed")
	m.Batch(3)
	m.QueuedEvents(1)
	m.QueueWait(time.Millisecond)
	m.PartitionsAhead(3)
	m.EmbeddedRestarts(0)
	m.PoolAcquired("api", time.Millisecond)
	m.Pool("api", []string{"idle"}, func() map[string]int32 { return map[string]int32{"idle": 2} })
	m.DatabaseError("57")
	m.ListRead("api")
	m.ReplicaLag(time.Second)
	m.Jobs([]JobCount{{Queue: "maintenance", State: "available", Count: 1}}, map[string]time.Duration{"maintenance": time.Second})
	m.Job("maintenance", "completed", time.Millisecond)
	m.Delivery("slack", "delivered")
}

// registered returns the metrics of the program by name.
func registered(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	metrics := NewMetrics(buildinfo.Info{Version: "1.2.3", Commit: "abc"})
	recordAll(metrics)
	families, err := metrics.registry.Gather()
	require.NoError(t, err)
	found := make(map[string]*dto.MetricFamily)
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), namespace+"_") {
			found[family.GetName()] = family
		}
	}
	return found
}

func labelsOf(family *dto.MetricFamily) []string {
	labels := []string{}
	for _, label := range family.GetMetric()[0].GetLabel() {
		labels = append(labels, label.GetName())
	}
	return labels
}

// TestLabels lists the labels of all metrics: each has few values, and none of them names an account.
func TestLabels(t *testing.T) {
	t.Parallel()
	bounded := []string{
		"channel", "class", "code", "effect", "kind", "limiter", "operation", "outcome", "pool", "queue", "revision", "scheme", "state", "type", "version",
	}
	for name, family := range registered(t) {
		require.Subset(t, bounded, labelsOf(family), name)
	}
}

// TestHistogramsHaveBothForms requires buckets that are classic and native.
func TestHistogramsHaveBothForms(t *testing.T) {
	t.Parallel()
	histograms := 0
	for name, family := range registered(t) {
		if family.GetType() != dto.MetricType_HISTOGRAM {
			continue
		}
		histograms++
		histogram := family.GetMetric()[0].GetHistogram()
		require.NotEmpty(t, histogram.GetBucket(), name)
		require.NotEmpty(t, histogram.GetPositiveSpan(), name)
	}
	require.Equal(t, 5, histograms)
}

// TestOff requires that nothing fails without metrics.
func TestOff(t *testing.T) {
	t.Parallel()
	require.NotPanics(t, func() { recordAll(nil) })
}

// TestAbsentUntilKnown requires that metrics of parts that do not run are absent: an alert on one must not fire.
func TestAbsentUntilKnown(t *testing.T) {
	t.Parallel()
	families, err := NewMetrics(buildinfo.Info{}).registry.Gather()
	require.NoError(t, err)
	names := make(map[string]bool)
	for _, family := range families {
		names[family.GetName()] = true
	}
	require.NotContains(t, slices.Collect(maps.Keys(names)), "versioner_listener_up")
	require.NotContains(t, slices.Collect(maps.Keys(names)), "versioner_event_partitions_ahead")
	require.Contains(t, slices.Collect(maps.Keys(names)), "versioner_build_info")
}

func TestOperatorHandler(t *testing.T) {
	t.Parallel()
	metrics := NewMetrics(buildinfo.Info{Version: "1.2.3", Commit: "abc"})
	get := func(handler http.Handler, path string) (int, string) {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		return recorder.Code, recorder.Body.String()
	}
	status, text := get(OperatorHandler(metrics, false), "/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, `versioner_build_info{revision="abc",version="1.2.3"} 1`)
	require.Contains(t, text, "process_resident_memory_bytes")
	status, _ = get(OperatorHandler(metrics, false), "/debug/pprof/")
	require.Equal(t, http.StatusNotFound, status)
	status, text = get(OperatorHandler(metrics, true), "/debug/pprof/heap?debug=1")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "heap profile")
}
