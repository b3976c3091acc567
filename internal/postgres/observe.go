package postgres

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/versioner-io/versioner/internal/telemetry"
)

// Observed names a pool in metrics and traces. The zero value observes nothing.
type Observed struct {
	Pool string
	telemetry.Telemetry
}

// configure makes connections report to the telemetry.
func (o Observed) configure(config *pgxpool.Config) {
	var tracers []pgx.QueryTracer
	if o.Metrics != nil {
		tracers = append(tracers, poolTracer{pool: o.Pool, metrics: o.Metrics})
	}
	if o.Tracing != nil { // it records statements without their arguments
		tracers = append(tracers, otelpgx.NewTracer(otelpgx.WithTracerProvider(o.Tracing), otelpgx.WithMeterProvider(noop.NewMeterProvider())))
	}
	switch len(tracers) {
	case 0:
	case 1:
		config.ConnConfig.Tracer = tracers[0]
	default:
		config.ConnConfig.Tracer = multitracer.New(tracers...)
	}
}

// The states of connections.
const (
	stateAcquired     = "acquired"
	stateIdle         = "idle"
	stateConstructing = "constructing"
)

// watch counts the connections of an open pool.
func (o Observed) watch(pool *pgxpool.Pool) {
	o.Metrics.Pool(o.Pool, []string{stateAcquired, stateIdle, stateConstructing}, func() map[string]int32 {
		stat := pool.Stat()
		return map[string]int32{stateAcquired: stat.AcquiredConns(), stateIdle: stat.IdleConns(), stateConstructing: stat.ConstructingConns()}
	})
}

// poolTracer measures the connections of a pool.
type poolTracer struct {
	pool    string
	metrics *telemetry.Metrics
}

type acquireStart struct{}

// startAcquire begins the time that a caller waits for a connection, before it waits for admission.
func startAcquire(ctx context.Context, metrics *telemetry.Metrics) context.Context {
	if metrics == nil {
		return ctx
	}
	return context.WithValue(ctx, acquireStart{}, time.Now())
}

// TraceAcquireStart implements pgxpool.AcquireTracer.
func (t poolTracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if ctx.Value(acquireStart{}) != nil {
		return ctx
	}
	return startAcquire(ctx, t.metrics)
}

// TraceAcquireEnd implements pgxpool.AcquireTracer.
func (t poolTracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	if begin, ok := ctx.Value(acquireStart{}).(time.Time); ok {
		t.metrics.PoolAcquired(t.pool, time.Since(begin))
	}
}

// TraceConnectStart implements pgx.ConnectTracer.
func (t poolTracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return ctx
}

// TraceConnectEnd implements pgx.ConnectTracer.
func (t poolTracer) TraceConnectEnd(_ context.Context, data pgx.TraceConnectEndData) {
	t.count(data.Err)
}

// TraceQueryStart implements pgx.QueryTracer.
func (t poolTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (t poolTracer) TraceQueryEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	t.count(data.Err)
}

// TraceBatchStart implements pgx.BatchTracer.
func (t poolTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery implements pgx.BatchTracer.
func (t poolTracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements pgx.BatchTracer.
func (t poolTracer) TraceBatchEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	t.count(data.Err)
}

func (t poolTracer) count(err error) {
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.metrics.DatabaseError(errorClass(err))
	}
}

// errorClass returns the class of the SQLSTATE, or a word for an error that has none.
func errorClass(err error) string {
	const classLength = 2
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && len(failure.Code) > classLength {
		return failure.Code[:classLength]
	}
	network, isNetwork := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), isNetwork && network.Timeout():
		return "timeout"
	case isNetwork, isConnectionError(err):
		return "connection"
	}
	if _, isConnect := errors.AsType[*pgconn.ConnectError](err); isConnect {
		return "connection"
	}
	return "other"
}
