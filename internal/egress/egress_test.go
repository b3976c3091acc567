package egress_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/versioner-io/versioner/internal/egress"
)

// nameServer starts a DNS server that answers queries of type A with successive addresses.
func nameServer(tb testing.TB, answer func(number int64) netip.Addr) *net.Resolver {
	tb.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(tb.Context(), "udp", "127.0.0.1:0")
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	var queries atomic.Int64
	go func() {
		buffer := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var message dnsmessage.Message
			if message.Unpack(buffer[:size]) != nil || len(message.Questions) != 1 {
				continue
			}
			question := message.Questions[0]
			message.Response, message.Additionals = true, nil
			if question.Type == dnsmessage.TypeA {
				address := answer(queries.Add(1) - 1)
				if address.IsValid() {
					message.Answers = []dnsmessage.Resource{{
						Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 0},
						Body:   &dnsmessage.AResource{A: address.As4()},
					}}
				} else {
					message.RCode = dnsmessage.RCodeNameError
				}
			}
			packed, err := message.Pack()
			if err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func client(tb testing.TB, allowed ...string) *egress.Client {
	tb.Helper()
	policy, err := egress.ParsePolicy(allowed, nil)
	require.NoError(tb, err)
	return egress.New(policy)
}

func post(ctx context.Context, t *testing.T, c *egress.Client, address string) (egress.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(`{}`))
	require.NoError(t, err)
	return c.Do(request)
}

func isForbidden(err error) bool {
	_, ok := errors.AsType[*egress.ForbiddenError](err)
	return ok
}

// listener counts the connections to a local port that webhooks may use.
func listener(t *testing.T) (port string, connections *atomic.Int64) {
	t.Helper()
	listen, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listen.Close() })
	connections = new(atomic.Int64)
	go func() {
		for {
			conn, err := listen.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = conn.Close()
		}
	}()
	_, port, err = net.SplitHostPort(listen.Addr().String())
	require.NoError(t, err)
	return port, connections
}

// TestRebinding uses a name that resolves to a public address when it is checked and to a local one when it is dialled, and one
// that resolves to another local address at each look-up.
func TestRebinding(t *testing.T) {
	t.Parallel()
	port, connections := listener(t)
	public, local := netip.MustParseAddr("203.0.112.1"), netip.MustParseAddr("127.0.0.1")
	for range 500 {
		c := client(t)
		egress.SetResolver(c, nameServer(t, func(number int64) netip.Addr {
			if number == 0 {
				return public
			}
			return local
		}))
		_, err := c.CheckURL(t.Context(), "http://rebind.example.com:"+port+"/")
		require.NoError(t, err)
		_, err = post(t.Context(), t, c, "http://rebind.example.com:"+port+"/")
		require.True(t, isForbidden(err), "%v", err)
	}
	c := client(t)
	flips := []string{"127.0.0.1", "127.1.2.3", "0.0.0.0", "127.255.255.254"}
	egress.SetResolver(c, nameServer(t, func(number int64) netip.Addr { return netip.MustParseAddr(flips[number%int64(len(flips))]) }))
	for range 500 {
		_, err := post(t.Context(), t, c, "http://flip.example.com:"+port+"/")
		require.True(t, isForbidden(err), "%v", err)
		_, err = c.CheckURL(t.Context(), "http://flip.example.com:"+port+"/")
		require.True(t, isForbidden(err), "%v", err)
	}
	require.Zero(t, connections.Load())

	// An allowed address is connected to: the listener would count a connection.
	allowed := client(t, "127.0.0.0/8")
	egress.SetResolver(allowed, nameServer(t, func(int64) netip.Addr { return local }))
	_, err := post(t.Context(), t, allowed, "http://flip.example.com:"+port+"/")
	require.Error(t, err)
	require.NotZero(t, connections.Load())
}

func TestUnresolvableNamesAreAccepted(t *testing.T) {
	t.Parallel()
	c := client(t)
	egress.SetResolver(c, nameServer(t, func(int64) netip.Addr { return netip.Addr{} }))
	_, err := c.CheckURL(t.Context(), "https://soon.example.com/")
	require.NoError(t, err)
	_, err = post(t.Context(), t, c, "https://soon.example.com/")
	require.Equal(t, "dns", egress.Classify(err))
}

func TestReceivers(t *testing.T) {
	t.Parallel()
	c := client(t, "127.0.0.0/8")
	serve := func(t *testing.T, handler http.HandlerFunc) string {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // so that the server detects a client that disconnects
			handler(w, r)
		}))
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
		return server.URL
	}
	within := func(t *testing.T, limit time.Duration) context.Context {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		t.Cleanup(cancel)
		return ctx
	}

	t.Run("RedirectsAreNotFollowed", func(t *testing.T) {
		t.Parallel()
		port, connections := listener(t)
		for _, status := range []int{301, 302, 303, 307, 308} {
			answer, err := post(t.Context(), t, c, serve(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:"+port+"/", status)
			}))
			require.NoError(t, err)
			require.Equal(t, status, answer.Status)
		}
		require.Zero(t, connections.Load())
	})

	t.Run("ContextBoundsASilentReceiver", func(t *testing.T) {
		t.Parallel()
		_, err := post(within(t, 300*time.Millisecond), t, c, serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		require.Equal(t, "timeout", egress.Classify(err))
	})

	t.Run("SlowBodyIsNotAwaited", func(t *testing.T) {
		t.Parallel()
		answer, err := post(within(t, 30*time.Second), t, c, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			for {
				_, err := w.Write([]byte("x"))
				if err = errors.Join(err, http.NewResponseController(w).Flush()); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}))
		require.NoError(t, err, "the response had arrived")
		require.Equal(t, http.StatusOK, answer.Status)
	})

	t.Run("ContextBoundsASlowHeader", func(t *testing.T) {
		t.Parallel()
		_, err := post(within(t, 500*time.Millisecond), t, c, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			for _, b := range []byte("HTTP/1.1 200 OK\r\nX-Slow: " + strings.Repeat("x", 100)) {
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}))
		require.Equal(t, "timeout", egress.Classify(err))
	})

	t.Run("LargeBodyIsNotRead", func(t *testing.T) {
		t.Parallel()
		var sent atomic.Int64
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		answer, err := post(within(t, 30*time.Second), t, c, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			chunk := bytes.Repeat([]byte("x"), 1<<20)
			for range 1024 {
				size, err := w.Write(chunk)
				sent.Add(int64(size))
				if err != nil {
					return
				}
			}
		}))
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.Status)
		require.Less(t, sent.Load(), int64(64<<20), "the size of the connection's buffers")
		require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(64<<20))
	})

	t.Run("RejectsHugeHeader", func(t *testing.T) {
		t.Parallel()
		_, err := post(within(t, 30*time.Second), t, c, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Huge", strings.Repeat("x", 1<<20))
		}))
		require.Equal(t, "connection", egress.Classify(err))
	})

	t.Run("RejectsUntrustedCertificates", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewTLSServer(http.NotFoundHandler())
		t.Cleanup(server.Close)
		_, err := post(within(t, 30*time.Second), t, c, server.URL)
		require.Equal(t, "tls", egress.Classify(err))
	})

	t.Run("ConnectionsAreReused", func(t *testing.T) {
		t.Parallel()
		var connections atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		for range 10 {
			_, err := post(within(t, 30*time.Second), t, c, server.URL)
			require.NoError(t, err)
		}
		require.Equal(t, int64(1), connections.Load())
	})

	t.Run("ConnectionRefused", func(t *testing.T) {
		t.Parallel()
		_, err := post(within(t, 30*time.Second), t, c, "http://127.0.0.1:1/")
		require.Equal(t, "connection", egress.Classify(err))
	})
}

// TestProxyEnvironmentIsIgnored: a proxy would bypass the check of addresses.
func TestProxyEnvironmentIsIgnored(t *testing.T) {
	port, connections := listener(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:"+port)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:"+port)
	c := client(t)
	egress.SetResolver(c, nameServer(t, func(int64) netip.Addr { return netip.MustParseAddr("127.0.0.1") }))
	_, err := post(t.Context(), t, c, "http://example.com/")
	require.True(t, isForbidden(err), "%v", err)
	require.Zero(t, connections.Load())
}

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	policy, err := egress.ParsePolicy([]string{" 10.1.2.3/16 ", "fd12::/32"}, []string{"Hooks.Corp.Example.", ".lan.example"})
	require.NoError(t, err)
	c := egress.New(policy)
	for _, allowed := range []string{
		"http://10.1.9.9/", "http://[fd12::1]:5432/", "http://hooks.corp.example:22/", "http://HOOKS.corp.example/", "http://a.lan.example/", "http://a.b.lan.example./",
	} {
		_, err := c.CheckURL(t.Context(), allowed)
		require.NoError(t, err, allowed)
	}
	for _, forbidden := range []string{"http://10.2.0.1/", "http://[fd13::1]/", "http://corp.example.internal/", "http://xhooks.corp.example.local/", "http://127.0.0.1/"} {
		_, err := c.CheckURL(t.Context(), forbidden)
		require.True(t, isForbidden(err), forbidden)
	}
	_, err = egress.ParsePolicy([]string{"10.1.2.3", "all"}, []string{"", "*", "https://x", "a b"})
	require.ErrorContains(t, err, `"10.1.2.3"`)
	require.ErrorContains(t, err, `"all"`)
	require.ErrorContains(t, err, `"https://x"`)
	require.ErrorContains(t, err, `"*"`)
}

// FuzzCheckURL uses the standard library's address parser as its oracle: an accepted host that is an address is public, and is
// the same after formatting and parsing.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"https://example.com/x?y=1", "http://127.1/", "http://0x7f.1/", "http://[::ffff:127.0.0.1]/", "http://１２７.０.０.１/", "http://example.com:080/",
		"http://a@b/", "//x", "http://[fe80::1%25eth0]/", "http://2130706433/", "http://127。0。0。1/",
	} {
		f.Add(seed)
	}
	c := client(f)
	cancelled, cancel := context.WithCancel(f.Context())
	cancel() // no name is resolved
	f.Fuzz(func(t *testing.T, text string) {
		checked, err := c.CheckURL(cancelled, text)
		if err != nil {
			return
		}
		require.Contains(t, []string{"http", "https"}, checked.Scheme)
		require.Nil(t, checked.User)
		again, err := url.Parse(checked.String())
		require.NoError(t, err)
		require.Equal(t, checked.Host, again.Host)
		if addr, err := netip.ParseAddr(again.Hostname()); err == nil {
			require.True(t, addr.IsGlobalUnicast() && !addr.IsPrivate(), text)
			require.False(t, addr.Is4In6(), text)
		} else {
			require.Contains(t, again.Hostname(), ".", text)
		}
	})
}
