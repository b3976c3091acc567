package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	answerTimeout = 30 * time.Second
	redialPause   = 10 * time.Millisecond
	maxAnswerText = 300
)

// load sends events in a closed loop: each connection sends its next event when its previous one is answered.
type load struct {
	began   time.Time
	stopped atomic.Bool
	group   sync.WaitGroup
	workers []*worker
}

// outcome holds the results of a load.
type outcome struct {
	answers      []answer // 200
	failures     int      // other status codes and transport errors
	firstFailure string
}

// answer holds the time of an answer since the load began, and its latency.
type answer struct{ at, latency time.Duration }

// startLoad sends the requests of each stream on its own connection until finish is called. Only loopback addresses are allowed.
func startLoad(ctx context.Context, address string, streams []*stream) (*load, error) {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("read the address of the server: %w", err)
	}
	if !target.Addr().IsLoopback() {
		return nil, fmt.Errorf("%s is not a loopback address: the benchmark sends events to this machine only", address)
	}
	l := &load{began: time.Now()}
	for _, s := range streams {
		w := &worker{address: address, stream: s}
		l.workers = append(l.workers, w)
		l.group.Go(func() { w.run(ctx, l) })
	}
	return l, nil
}

// finish stops sending and waits for the outstanding answers.
func (l *load) finish() outcome {
	l.stopped.Store(true)
	return l.wait()
}

// wait waits until the streams end.
func (l *load) wait() outcome {
	l.group.Wait()
	var o outcome
	for _, w := range l.workers {
		o.answers = append(o.answers, w.answers...)
		o.failures += w.failures
		if o.firstFailure == "" {
			o.firstFailure = w.firstFailure
		}
	}
	return o
}

// within returns the latencies of the events that were answered within a window.
func (l *load) within(o outcome, w window) []time.Duration {
	from, to := w.from.Sub(l.began), w.to.Sub(l.began)
	var latencies []time.Duration
	for _, a := range o.answers {
		if a.at > from && a.at <= to {
			latencies = append(latencies, a.latency)
		}
	}
	return latencies
}

// worker is one connection.
type worker struct {
	address string
	stream  *stream
	conn    net.Conn
	reader  *bufio.Reader
	outcome
}

func (w *worker) run(ctx context.Context, l *load) {
	defer w.disconnect()
	for !l.stopped.Load() && ctx.Err() == nil {
		begin := time.Now()
		request, ok := w.stream.request(begin)
		if !ok {
			return
		}
		err := w.send(ctx, request)
		if err == nil {
			end := time.Now()
			w.answers = append(w.answers, answer{at: end.Sub(l.began), latency: end.Sub(begin)})
			continue
		}
		w.failures++
		if w.firstFailure == "" {
			w.firstFailure = err.Error()
		}
		if _, isAnswer := errors.AsType[*statusError](err); !isAnswer {
			w.disconnect()
			time.Sleep(redialPause)
		}
	}
}

// statusError is an answer with another status than 200.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return fmt.Sprintf("answered %d: %s", e.status, e.text) }

func (w *worker) send(ctx context.Context, request []byte) error {
	if w.conn == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.address)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		w.conn, w.reader = conn, bufio.NewReader(conn)
	}
	if err := w.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return fmt.Errorf("set the deadline: %w", err)
	}
	if _, err := w.conn.Write(request); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	response, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	return w.read(response)
}

func (w *worker) read(response *http.Response) error {
	var failure error
	if response.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerText))
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		failure = &statusError{status: response.StatusCode, text: string(text)}
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if response.Close {
		w.disconnect()
	}
	return failure
}

func (w *worker) disconnect() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}
