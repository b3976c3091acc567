// Package logctx carries the fields of a request that its log records have in common.
package logctx

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Request holds the log fields of one request. Middleware fills it in while the request passes; a field that is not known
// yet is empty.
type Request struct {
	ID, Operation, Account string
	// The identifier of the caller.
	APIKey, User, CalendarFeed string
}

type contextKey struct{}

// With returns a context that carries the request's fields.
func With(ctx context.Context, request *Request) context.Context {
	return context.WithValue(ctx, contextKey{}, request)
}

// From returns the fields of the request that ctx belongs to, and an empty one outside of a request.
func From(ctx context.Context) *Request {
	if request, ok := ctx.Value(contextKey{}).(*Request); ok {
		return request
	}
	return &Request{}
}

// NewHandler adds the request's fields, and its trace, to each record that is logged with its context.
func NewHandler(next slog.Handler) slog.Handler { return handler{next} }

type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, record slog.Record) error {
	request := From(ctx)
	for _, attr := range []slog.Attr{
		slog.String("request_id", request.ID), slog.String("operation", request.Operation), slog.String("account", request.Account),
		slog.String("api_key_id", request.APIKey), slog.String("user_id", request.User),
		slog.String("calendar_feed_id", request.CalendarFeed),
	} {
		if attr.Value.String() != "" {
			record.AddAttrs(attr)
		}
	}
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		record.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, record) //nolint:wrapcheck // it only adds fields
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
