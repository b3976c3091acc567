package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoadRefusesOtherMachines(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"192.0.2.1:80", "localhost:80", "[2001:db8::1]:80", "127.0.0.1", ""} {
		_, err := startLoad(t.Context(), address, nil)
		require.Error(t, err, address)
	}
	for _, address := range []string{"127.0.0.1:80", "[::1]:80"} {
		_, err := startLoad(t.Context(), address, nil)
		require.NoError(t, err, address)
	}
}

func TestLoadCountsAnswers(t *testing.T) {
	t.Parallel()
	var received atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := received.Add(1)
		switch {
		case n%10 == 0:
			http.Error(w, "too much", http.StatusServiceUnavailable)
		case n%15 == 0:
			panic(http.ErrAbortHandler) // the connection breaks
		default:
			_, _ = io.WriteString(w, strings.Repeat("x", 5000)) // chunked
		}
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	acme := newTenant("acme", "")
	acme.useKey(address, "sk_a_k1_x")
	l, err := startLoad(t.Context(), address, seedStreams(8, []*tenant{acme}, newRunIDs()))
	require.NoError(t, err)
	o := l.wait()
	require.Equal(t, int64(pairs), received.Load(), "each event is sent once, whatever became of it")
	require.Len(t, o.answers, pairs-8-3)
	require.Equal(t, 8+3, o.failures)
	require.NotEmpty(t, o.firstFailure)
}
