package ingest

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// traceBatch makes a span of the transaction of the jobs if one of their requests is sampled. It is in the trace of the first such request,
// and links to all of them.
func (b *batcher) traceBatch(ctx context.Context, jobs []*job) (_ context.Context, end func(error)) {
	if b.Tracing == nil {
		return ctx, func(error) {}
	}
	var links []trace.Link
	for _, j := range jobs {
		if request := trace.SpanContextFromContext(j.ctx); request.IsSampled() {
			links = append(links, trace.Link{SpanContext: request})
		}
	}
	if len(links) == 0 {
		return ctx, func(error) {}
	}
	ctx, span := b.Tracer().Start(trace.ContextWithSpanContext(ctx, links[0].SpanContext), "record events",
		trace.WithLinks(links...), trace.WithAttributes(attribute.Int("events", len(jobs))))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "the transaction failed")
		}
		span.End()
	}
}
