package acceptfilter

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// patient never loses its patience in a test.
func patient() Patience { return Patience{Header: time.Hour, Body: time.Hour} }

func listen(t require.TestingT, patience Patience) *Listener {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return New(tcp, patience)
}

func dial(t require.TestingT, l net.Listener) *net.TCPConn {
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}

func write(t *testing.T, conn io.Writer, text string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
}

// requireAccepted accepts the client's connection next.
func requireAccepted(t *testing.T, l net.Listener, client net.Conn) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.Equal(t, client.LocalAddr().String(), conn.RemoteAddr().String())
	return conn
}

func TestRequestIsGivenWhenItHasCome(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ before, last string }{
		"NoBody":           {"GET / HTTP/1.1\r\nHost: a\r\n\r", "\n"},
		"Body":             {"POST / HTTP/1.1\r\ncontent-length:  12 \r\n\r\n\n\r\n45678901", "2"},
		"EmptyBody":        {"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r", "\n"},
		"LineFeeds":        {"POST / HTTP/1.1\nContent-Length: 2\n\n{", "}"},
		"Chunked":          {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r", "\n"},
		"WaitsForContinue": {"POST / HTTP/1.1\r\nContent-Length: 1000\r\nexpect: 100-continue\r\n\r", "\n"},
		"NegativeLength":   {"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r", "\n"},
		"NoLength":         {"POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r", "\n"},
		"LengthAndChunked": {"POST / HTTP/1.1\r\nContent-Length: 1000\r\nTransfer-Encoding: chunked\r\n\r", "\n"},
		"HugeLength":       {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r", "\n"},
		"NoRequest":        {"", "\x16\x03\x01"},
		"LongHeader":       {"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", enough-20), "x"},
		"LongBody":         {"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", enough-44), "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t, patient())
			defer func() { _ = l.Close() }()
			slow, fast := dial(t, l), dial(t, l)
			write(t, slow, test.before)
			write(t, fast, "GET / HTTP/1.1\r\n\r\n")
			requireAccepted(t, l, fast)
			write(t, slow, test.last)
			conn := requireAccepted(t, l, slow)
			require.NoError(t, slow.CloseWrite())
			read, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Equal(t, test.before+test.last, string(read))
		})
	}
}

func TestImpatience(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		patience Patience
		sent     string
		isGiven  bool
	}{
		"Silent":      {Patience{Header: time.Millisecond, Body: time.Hour}, "", false},
		"SlowHeader":  {Patience{Header: 50 * time.Millisecond, Body: time.Hour}, "GET / HTTP/1.1\r\nHost: a\r\n", false},
		"SlowBody":    {Patience{Header: time.Hour, Body: 50 * time.Millisecond}, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1234", true},
		"TooLateBody": {Patience{Header: time.Hour, Body: -time.Hour}, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1234", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t, test.patience)
			defer func() { _ = l.Close() }()
			client := dial(t, l)
			write(t, client, test.sent)
			if !test.isGiven {
				_, err := client.Read(make([]byte, 1))
				require.Error(t, err)
				return
			}
			conn := requireAccepted(t, l, client)
			read, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Equal(t, test.sent, string(read), "the rest is not waited for")
			write(t, conn, "503")
			answer := make([]byte, 3)
			_, err = io.ReadFull(client, answer)
			require.NoError(t, err)
			require.Equal(t, "503", string(answer))
		})
	}
}

func TestWhoHasEndedIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("other kernels do not tell")
	}
	for _, sent := range []string{"GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n123"} {
		l := listen(t, patient())
		half, gone := dial(t, l), dial(t, l)
		write(t, half, sent)
		require.Eventually(t, func() bool { return l.pendingNow() == 2 }, time.Minute, time.Millisecond)
		require.NoError(t, half.CloseWrite())
		conn := requireAccepted(t, l, half)
		read, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, sent, string(read), "the server sees what is missing, and can say so")
		write(t, gone, sent)
		require.NoError(t, gone.SetLinger(0))
		require.NoError(t, gone.Close())
		go func() { _, _ = l.Accept() }()
		l.Drain(t.Context())
		require.NoError(t, l.Close())
	}
}

func (l *Listener) pendingNow() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

func TestClientsThatAreGoneAreForgotten(t *testing.T) {
	t.Parallel()
	l := listen(t, patient())
	defer func() { _ = l.Close() }()
	ended, reset := dial(t, l), dial(t, l)
	require.NoError(t, ended.Close())
	require.NoError(t, reset.SetLinger(0))
	require.NoError(t, reset.Close())
	l.Drain(t.Context())
	require.Empty(t, l.waiting)
}

func TestDrainLetsThoseFinishThatHaveConnected(t *testing.T) {
	t.Parallel()
	l := listen(t, patient())
	slow := dial(t, l)
	write(t, slow, "GET / HTTP/1.1\r\n")
	require.Eventually(t, func() bool { return l.pendingNow() == 1 }, time.Minute, time.Millisecond)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	l.Drain(ctx) // nobody waits so long
	_, err := net.Dial("tcp", l.Addr().String())
	require.Error(t, err)
	drained := make(chan struct{})
	go func() {
		l.Drain(t.Context())
		close(drained)
	}()
	write(t, slow, "\r\n")
	requireAccepted(t, l, slow)
	<-drained
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, l.Close(), net.ErrClosed)
}

func TestCloseDropsThoseThatWait(t *testing.T) {
	t.Parallel()
	l := listen(t, patient())
	slow, whole := dial(t, l), dial(t, l)
	write(t, slow, "GET / HTTP/1.1\r\n")
	write(t, whole, "GET / HTTP/1.1\r\n\r\n")
	require.NoError(t, l.Close())
	for _, client := range []net.Conn{slow, whole} {
		_, err := client.Read(make([]byte, 1))
		require.Error(t, err)
	}
	l.pending.Wait()
}

// TestServerBehindIt answers every request as it would without, however it is cut into pieces, more than one for each
// connection.
func TestServerBehindIt(t *testing.T) {
	t.Parallel()
	l := listen(t, patient())
	server := http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprint(w, len(body), err)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	rapid.Check(t, func(t *rapid.T) {
		client := dial(t, l)
		defer func() { _ = client.Close() }()
		answers := bufio.NewReader(client)
		for range 2 {
			size := rapid.IntRange(0, 2*enough).Draw(t, "size of the body")
			request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("\n", size))
			if rapid.Bool().Draw(t, "chunked") {
				request = fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size+1, strings.Repeat("\n", size+1))
				size++
			}
			for request != "" {
				piece := rapid.IntRange(1, len(request)).Draw(t, "size of a piece")
				_, err := io.WriteString(client, request[:piece])
				require.NoError(t, err)
				request = request[piece:]
			}
			response, err := http.ReadResponse(answers, nil)
			require.NoError(t, err)
			answer, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, fmt.Sprint(size, error(nil)), string(answer))
		}
	})
	l.Drain(t.Context())
	require.NoError(t, server.Close())
	require.ErrorIs(t, <-served, http.ErrServerClosed)
}
