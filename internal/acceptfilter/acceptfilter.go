// Package acceptfilter keeps slow clients away from an HTTP server, as FreeBSD's accept filters do: it gives it a connection
// when the first request has come, whole or its first 4 KB. Until then what has come stays with the kernel, so that a client
// that sends a byte now and then costs little more than its socket, not the buffers and the stack of a request.
package acceptfilter

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Patience is how long a client may take from when it has connected, for the first request.
type Patience struct {
	Header time.Duration // then its connection is closed
	Body   time.Duration // then the server is given the request as far as it has come, and can say so
}

// Listener is a TCP listener whose Accept returns connections with a request in them.
type Listener struct {
	net.Listener

	patience Patience
	accepted chan accepted
	closed   chan struct{}
	pending  sync.WaitGroup // connections that have not been accepted, and the loop that brings them
	buffers  sync.Pool      // to look into requests

	mu      sync.Mutex
	waiting map[*net.TCPConn]struct{} // nil: closed
}

type accepted struct {
	conn net.Conn
	err  error
}

// New takes connections from a TCP listener, until Close.
func New(tcp net.Listener, patience Patience) *Listener {
	l := &Listener{
		Listener: tcp, patience: patience, accepted: make(chan accepted), closed: make(chan struct{}),
		buffers: sync.Pool{New: func() any { return new([enough]byte) }}, waiting: make(map[*net.TCPConn]struct{}),
	}
	l.pending.Go(l.run)
	return l
}

// Accept returns the next connection with a request in it.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case next := <-l.accepted:
		return next.conn, next.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close takes no more connections, and closes those that have not been accepted.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == nil {
		return net.ErrClosed
	}
	close(l.closed)
	for conn := range l.waiting {
		_ = conn.Close()
	}
	l.waiting = nil
	if err := l.Listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err //nolint:wrapcheck // it stands in for that listener
	}
	return nil
}

// Drain takes no more connections, and returns when those that there are have been accepted or closed.
func (l *Listener) Drain(ctx context.Context) {
	_ = l.Listener.Close() // if it cannot, Close tells
	drained := make(chan struct{})
	go func() {
		l.pending.Wait()
		close(drained)
	}()
	select {
	case <-drained:
	case <-ctx.Done():
	}
}

func (l *Listener) run() {
	for {
		conn, err := l.Listener.Accept()
		tcp, isTCP := conn.(*net.TCPConn)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil || !isTCP:
			l.give(conn, err)
		default:
			l.pending.Go(func() { l.await(tcp) })
		}
	}
}

// await gives the connection to the server once there is a request in it.
func (l *Listener) await(conn *net.TCPConn) {
	if !l.add(conn) {
		return
	}
	hasCome := l.arrives(conn)
	if !l.remove(conn) {
		return
	}
	if !hasCome {
		_ = conn.Close()
		return
	}
	l.give(conn, nil)
}

func (l *Listener) give(conn net.Conn, err error) {
	select {
	case l.accepted <- accepted{conn: conn, err: err}:
	case <-l.closed:
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// add returns whether to wait for the connection: not when it is too late for it, and it is closed.
func (l *Listener) add(conn *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == nil {
		_ = conn.Close()
		return false
	}
	l.waiting[conn] = struct{}{}
	return true
}

// remove returns whether the connection is still open.
func (l *Listener) remove(conn *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, isOpen := l.waiting[conn]
	delete(l.waiting, conn)
	return isOpen
}

// arrives waits for the request, and returns whether the server is to have the connection.
func (l *Listener) arrives(conn *net.TCPConn) bool {
	begin := time.Now()
	if !l.wait(conn, begin.Add(l.patience.Header), hasHeader) {
		return false
	}
	if !l.wait(conn, begin.Add(l.patience.Body), isWhole) && conn.CloseRead() != nil {
		return false
	}
	return conn.SetReadDeadline(time.Time{}) == nil
}
