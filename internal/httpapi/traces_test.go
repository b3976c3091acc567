package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/versioner-io/versioner/internal/testapi"
)

// spanNamed returns a span that has ended.
func spanNamed(t *testing.T, spans *tracetest.SpanRecorder, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	var found sdktrace.ReadOnlySpan
	require.Eventually(t, func() bool {
		for _, span := range spans.Ended() {
			if span.Name() == name {
				found = span
			}
		}
		return found != nil
	}, 30*time.Second, 10*time.Millisecond, name)
	return found
}

func linksTo(span sdktrace.ReadOnlySpan) []trace.SpanID {
	var ids []trace.SpanID
	for _, link := range span.Links() {
		ids = append(ids, link.SpanContext.SpanID())
	}
	return ids
}

// TestTraces follows an event from its request to the notification of a channel.
func TestTraces(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	api := testapi.New(t, testapi.WithWork(), testapi.WithTracing(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))))
	channel := api.As(t, "admin", http.MethodPost, "/notification-channels/", `{"name":"hooks","channel_type":"webhook","config":{"url":"http://127.0.0.1:1/"}}`)
	require.Equal(t, http.StatusCreated, channel.Status, "%s", channel.Body)
	preference := api.As(t, "admin", http.MethodPost, "/notification-preferences/", `{"channel_id":"`+channel.Field(t, "id").(string)+`","event_type":"deployment.started"}`)
	require.Equal(t, http.StatusCreated, preference.Status, "%s", preference.Body)
	api.PostEvent(t, deploymentEvents, deployment(map[string]any{"product_name": "confidential"}))

	request := spanNamed(t, spans, "createDeploymentEvent")
	require.Equal(t, trace.SpanKindServer, request.SpanKind())
	batch := spanNamed(t, spans, "record events")
	require.Equal(t, []trace.SpanID{request.SpanContext().SpanID()}, linksTo(batch))
	require.Equal(t, request.SpanContext().TraceID(), batch.SpanContext().TraceID())
	fanOut := spanNamed(t, spans, "river.work/fan_out_events")
	require.Equal(t, []trace.SpanID{batch.SpanContext().SpanID()}, linksTo(fanOut))
	delivery := spanNamed(t, spans, "river.work/deliver_notification")
	require.Equal(t, []trace.SpanID{fanOut.SpanContext().SpanID()}, linksTo(delivery))

	t.Run("StatementsHaveNoArguments", func(t *testing.T) {
		t.Parallel()
		statements := 0
		for _, span := range spans.Ended() {
			for _, attr := range span.Attributes() {
				require.NotContains(t, attr.Value.String(), "confidential", span.Name())
				if attr.Key == "db.query.text" {
					statements++
				}
			}
		}
		require.Positive(t, statements)
	})
	t.Run("LogsHaveTheTrace", func(t *testing.T) {
		t.Parallel()
		found := false
		for line := range strings.Lines(api.Logs.String()) {
			if strings.Contains(line, `"msg":"request"`) && strings.Contains(line, `"operation":"createDeploymentEvent"`) {
				require.Contains(t, line, `"trace_id":"`+request.SpanContext().TraceID().String()+`"`)
				found = true
			}
		}
		require.True(t, found)
	})
	t.Run("ClientsDoNotDecideWhatIsSampled", func(t *testing.T) {
		t.Parallel()
		read := api.Request(t, http.MethodGet, "/auth/providers", nil)
		read.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		require.Equal(t, http.StatusOK, api.Do(t, read).Status)
		span := spanNamed(t, spans, "listSignInProviders")
		require.False(t, span.Parent().IsValid())
		require.NotEqual(t, "0af7651916cd43dd8448eb211c80319c", span.SpanContext().TraceID().String())
		require.Len(t, span.Links(), 1)
	})
	t.Run("ProbesHaveNone", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, http.StatusOK, api.Get(t, "/health").Status)
		for _, span := range spans.Started() {
			require.NotEqual(t, "getHealth", span.Name())
		}
	})
}
