package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMaxConnections holds as many connections as the server accepts: the next one waits until they are closed.
func TestMaxConnections(t *testing.T) {
	t.Parallel()
	server := launch(t, environment(newDataDir(t), "VERSIONER_MAX_CONNECTIONS=2"), "dev")
	dial := func(text string) net.Conn {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.url, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = io.WriteString(conn, text)
		require.NoError(t, err)
		return conn
	}
	held := []net.Conn{dial("GET /health HTTP/1.1\r\n"), dial("GET /health HTTP/1.1\r\n"), dial("GET /health HTTP/1.1\r\n")}
	next := dial("GET /health HTTP/1.1\r\nHost: versioner\r\nConnection: close\r\n\r\n")
	require.NoError(t, next.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
	_, err := next.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	for _, conn := range held {
		require.NoError(t, conn.Close())
	}
	require.NoError(t, next.SetReadDeadline(time.Now().Add(time.Minute)))
	response, err := http.ReadResponse(bufio.NewReader(next), nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	server.stop(t)
}
