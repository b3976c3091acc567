package telemetry

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/buildinfo"
)

func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		t.Setenv(name, "")
	}
}

// TestTracingIsOff requires that there is no provider, and so no cost, unless the environment names an exporter or an endpoint.
//
//nolint:paralleltest // sets the environment
func TestTracingIsOff(t *testing.T) {
	for _, environment := range []map[string]string{
		{},
		{"OTEL_SERVICE_NAME": "x"},
		{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
		{"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
	} {
		clearEnvironment(t)
		for name, value := range environment {
			t.Setenv(name, value)
		}
		provider, flush, err := NewTracing(t.Context(), buildinfo.Read(), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.Nil(t, provider, environment)
		require.NoError(t, flush(t.Context()))
	}
}

// TestTracingExports sends a span to a collector, and links a job to it.
func TestTracingExports(t *testing.T) {
	received := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r.URL.Path }))
	defer collector.Close()
	clearEnvironment(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	provider, flush, err := NewTracing(t.Context(), buildinfo.Read(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, span := Telemetry{Tracing: provider}.Tracer().Start(t.Context(), "work")
	require.JSONEq(t, `{"traceparent":"00-`+span.SpanContext().TraceID().String()+`-`+span.SpanContext().SpanID().String()+`-01"}`, string(JobMetadata(ctx)))
	span.End()
	require.NoError(t, flush(t.Context()))
	require.Equal(t, "/v1/traces", <-received)
	require.JSONEq(t, `{}`, string(JobMetadata(t.Context())))
}

// TestTracingIsMisconfigured requires that a value that cannot be used is reported at the start.
func TestTracingIsMisconfigured(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("OTEL_TRACES_EXPORTER", "nonsense")
	_, _, err := NewTracing(t.Context(), buildinfo.Read(), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "OTEL_ variables")
}
