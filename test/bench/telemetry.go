package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// The servers of the phase telemetry.
const (
	labelUnobserved = "(f) server, no telemetry"
	labelMetrics    = "(f) server, metrics"
	labelTraces     = "(f) server, metrics and traces of 1%"
)

// prepareTelemetry compares servers that are equal but for what operators observe of them.
func (b *bench) prepareTelemetry(ctx context.Context) error {
	if !b.has(phaseTelemetry) {
		return nil
	}
	collector, err := b.startCollector(ctx)
	if err != nil {
		return err
	}
	const metrics = "VERSIONER_OPERATOR_ADDR=127.0.0.1:0"
	for _, one := range []struct {
		name, label string
		environment []string
	}{
		{"unobserved", labelUnobserved, []string{"VERSIONER_OPERATOR_ADDR="}},
		{"metrics", labelMetrics, []string{metrics}},
		{"traces", labelTraces, []string{
			metrics, "OTEL_EXPORTER_OTLP_ENDPOINT=http://" + collector, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01",
		}},
	} {
		s, tenants, err := b.startServer(ctx, one.name, b.Server, []string{"bench"}, one.environment...)
		if err != nil {
			return err
		}
		b.series = append(b.series, b.serverSeries(phaseTelemetry, one.label, s, middleConnections, tenants))
	}
	return nil
}

// startCollector accepts traces (OTLP over HTTP), and requires at the end that some have arrived.
func (b *bench) startCollector(ctx context.Context) (address string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("start a collector of traces: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		b.traceBytes.Add(n)
	})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	b.checks = append(b.checks, func(context.Context) error {
		if b.traceBytes.Load() == 0 {
			return errors.New("no trace has arrived")
		}
		return nil
	})
	return listener.Addr().String(), nil
}
