package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/versioner-io/versioner/internal/buildinfo"
)

// NewTracing returns the provider of traces that the OTEL_ variables of the environment configure, and a function that sends what is
// left. Without an exporter or an endpoint in the environment the provider is nil: traces are off.
func NewTracing(ctx context.Context, build buildinfo.Info, logger *slog.Logger) (trace.TracerProvider, func(context.Context) error, error) {
	if !isTracingConfigured() {
		return nil, func(context.Context) error { return nil }, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read the OTEL_ variables of traces: %w", err)
	}
	described, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "versioner"), attribute.String("service.version", build.Version)),
		resource.WithFromEnv()) // takes precedence
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, nil, fmt.Errorf("read the OTEL_ variables of the resource: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		logger.WarnContext(ctx, "traces are not exported", "error", err)
	}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described))
	return provider, provider.Shutdown, nil
}

func isTracingConfigured() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// Tracer returns a tracer for spans of this program.
func (t Telemetry) Tracer() trace.Tracer {
	return t.Tracing.Tracer("github.com/versioner-io/versioner")
}

// JobMetadata returns the metadata of a job that a statement inserts: the span of ctx, to which the span of the job links. otelriver adds
// it to the jobs that the library of the queue inserts.
func JobMetadata(ctx context.Context) json.RawMessage {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	metadata, err := json.Marshal(carrier)
	if err != nil {
		return json.RawMessage("{}") // texts can be encoded
	}
	return metadata
}
