package authn

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
)

// hurried gives up sooner than fetchTimeout, so that tests of servers that hang do not take as long.
func hurried() *http.Client { return &http.Client{Timeout: time.Second} }

// counting counts requests, whether or not they are sent in time.
type counting struct{ sent atomic.Int64 }

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.sent.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func requireCode(t *testing.T, code apperr.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, apperr.CodeOf(err), err)
}

func faults(written *atomic.Int64, plausible string) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"Hangs": hang,
		"HangsHalfway": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[`))
			flush(w)
			hang(w, r)
		},
		"Fails":        say(http.StatusInternalServerError, plausible),
		"NotModified":  say(http.StatusNotModified, ""),
		"NoContent":    say(http.StatusNoContent, ""),
		"Empty":        say(http.StatusOK, ""),
		"EmptySet":     say(http.StatusOK, `{"keys":[]}`),
		"EmptyObject":  say(http.StatusOK, `{}`),
		"Null":         say(http.StatusOK, `null`),
		"NullKeys":     say(http.StatusOK, `{"keys":[null,{},[],1,"x",{"kty":"RSA"},{"kty":"RSA","n":"","e":""},{"kty":"EC","crv":"P-256"}]}`),
		"KeysAnObject": say(http.StatusOK, `{"keys":{}}`),
		"KeysTwice":    say(http.StatusOK, `{"keys":[],"keys":[]}`),
		"HTML":         say(http.StatusOK, "<!doctype html><title>Maintenance</title>"),
		"Garbage":      say(http.StatusOK, "\x00\xff\x1f\x8b garbage"),
		"UselessKeys":  say(http.StatusOK, `{"keys":[{"kty":"oct","kid":"k1","k":"c2VjcmV0"},{"kty":"XX","kid":"k1"}]}`),
		"Disconnects":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"RedirectsAway": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://[::1]:1/jwks", http.StatusFound)
		},
		"RedirectsLoop": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/jwks", http.StatusFound) },
		"Endless": func(w http.ResponseWriter, r *http.Request) {
			chunk := []byte(strings.Repeat(" ", 64<<10))
			for range 1 << 14 { // 1 GiB
				n, err := w.Write(chunk)
				written.Add(int64(n))
				if err != nil || r.Context().Err() != nil {
					return
				}
			}
		},
	}
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

func TestFaultyJWKSNeverReplacesAGoodOne(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	var written atomic.Int64
	plausible, err := json.Marshal(map[string]any{"keys": []jwk.Key{public(t, rsaKeys[1](), "k1")}})
	require.NoError(t, err)
	for name, fault := range faults(&written, string(plausible)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newIDP(t, public(t, key, "k1"))
			requests := &counting{}
			client := hurried()
			client.Transport = requests
			b := newJWTFixture(t, client, clerkIssuer(p))
			token := func() string {
				now := b.clock.now().Unix()
				return sign(t, jwa.RS256, key, header(), payload(p.URL, "exp", strconv.FormatInt(now+60, 10), "nbf", "", "iat", ""))
			}
			b.refresh(t.Context())
			require.NoError(t, b.try(t.Context(), token()))

			p.respond(fault)
			for range 6 { // an hour
				b.clock.advance(refreshInterval)
				b.refresh(t.Context())
				require.NoError(t, b.try(t.Context(), token()))
			}
			require.GreaterOrEqual(t, requests.sent.Load(), int64(7), "each refresh sends a request")
			b.clock.advance(keySetTTL)
			requireCode(t, apperr.Unavailable, b.try(t.Context(), token()))

			p.publish(t, public(t, key, "k1"))
			b.clock.advance(emptyCooldown)
			require.NoError(t, b.try(t.Context(), token()))
		})
	}
	t.Cleanup(func() { require.Less(t, written.Load(), int64(512<<20), "the endless answer was read") })
}

func TestJWKSNeverObtained(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p := newIDP(t)
	p.respond(say(http.StatusBadGateway, ""))
	b := newJWTFixture(t, nil, clerkIssuer(p))
	token := sign(t, jwa.RS256, key, header(), payload(p.URL))

	requireCode(t, apperr.Unavailable, b.try(t.Context(), token))
	requireCode(t, apperr.Unavailable, b.try(t.Context(), token))
	require.EqualValues(t, 1, p.hits.Load(), "no more than one fetch a second")
	requireCode(t, apperr.Unauthenticated, b.try(t.Context(), sign(t, jwa.RS256, key, header(), payload(p.URL, "exp", "1"))))

	p.publish(t, public(t, key, "k1"))
	b.clock.advance(emptyCooldown)
	require.NoError(t, b.try(t.Context(), token))
}

// TestJWKSThatHangsAtFirstUse takes the two seconds that a request may wait.
func TestJWKSThatHangsAtFirstUse(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	p.respond(hang)
	b := newJWTFixture(t, nil, clerkIssuer(p))
	began := time.Now()
	requireCode(t, apperr.Unavailable, b.try(t.Context(), sign(t, jwa.RS256, rsaKeys[0](), header(), payload(p.URL))))
	require.InDelta(t, keyWaitTimeout.Seconds(), time.Since(began).Seconds(), 0.5)
}

func TestJWKSFirstUseFetchesOnce(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p := newIDP(t, public(t, key, "k1"))
	b := newJWTFixture(t, nil, clerkIssuer(p))
	token := sign(t, jwa.RS256, key, header(), payload(p.URL))
	var users sync.WaitGroup
	for range 50 {
		users.Go(func() {
			if err := b.try(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	users.Wait()
	require.EqualValues(t, 1, p.hits.Load())
	require.EqualValues(t, 50, b.verified.Load())
}

func TestJWKSRotation(t *testing.T) {
	t.Parallel()
	first, second, third := rsaKeys[0](), rsaKeys[1](), rsaKeys[2]()
	p := newIDP(t, public(t, first, "k1"))
	b := newJWTFixture(t, nil, clerkIssuer(p))
	tokens := []string{
		sign(t, jwa.RS256, first, header(), payload(p.URL, "exp", "8000000000")),
		sign(t, jwa.RS256, second, header("kid", `"k2"`), payload(p.URL, "exp", "8000000000")),
		sign(t, jwa.RS256, third, header("kid", `"k3"`), payload(p.URL, "exp", "8000000000")),
	}
	require.NoError(t, b.try(t.Context(), tokens[0]))

	p.publish(t, public(t, first, "k1"), public(t, second, "k2"))
	began := time.Now()
	require.NoError(t, b.try(t.Context(), tokens[1]), "the first use of a new key")
	require.Less(t, time.Since(began), keyWaitTimeout)
	require.NoError(t, b.try(t.Context(), tokens[0]), "the old key, still published")

	p.publish(t, public(t, second, "k2"), public(t, third, "k3"))
	requireCode(t, apperr.Unauthenticated, b.try(t.Context(), tokens[2]))
	b.clock.advance(unknownCooldown)
	require.NoError(t, b.try(t.Context(), tokens[2]))
	requireCode(t, apperr.Unauthenticated, b.try(t.Context(), tokens[0]))
}

// TestJWKSRotationInUse rotates under load: a token of a published key is never refused.
func TestJWKSRotationInUse(t *testing.T) {
	t.Parallel()
	first, second := rsaKeys[0](), rsaKeys[1]()
	p := newIDP(t, public(t, first, "k1"))
	b := newJWTFixture(t, nil, clerkIssuer(p))
	old := sign(t, jwa.RS256, first, header(), payload(p.URL))
	fresh := sign(t, jwa.RS256, second, header("kid", `"k2"`), payload(p.URL))
	require.NoError(t, b.try(t.Context(), old))
	var users sync.WaitGroup
	rotated := make(chan struct{})
	for range 8 {
		users.Go(func() {
			for range 50 {
				if err := b.try(t.Context(), old); err != nil {
					t.Error(err)
				}
			}
			<-rotated
			if err := b.try(t.Context(), fresh); err != nil {
				t.Error(err)
			}
		})
	}
	users.Go(func() {
		p.publish(t, public(t, first, "k1"), public(t, second, "k2"))
		close(rotated)
		b.refresh(t.Context())
	})
	users.Wait()
}

func TestJWKSRandomKidsCostNothing(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p := newIDP(t, public(t, key, "k1"))
	b := newJWTFixture(t, nil, clerkIssuer(p))
	signature := sign(t, jwa.RS256, key, header(), payload(p.URL))
	signature = signature[strings.LastIndex(signature, "."):]
	body := b64(payload(p.URL))
	var attackers sync.WaitGroup
	for attacker := range 10 {
		attackers.Go(func() {
			for i := range 1000 {
				token := b64(header("kid", fmt.Sprintf(`"%d-%d"`, attacker, i))) + "." + body + signature
				if err := b.try(t.Context(), token); apperr.CodeOf(err) != apperr.Unauthenticated {
					t.Error(err)
				}
			}
		})
	}
	attackers.Wait()
	require.LessOrEqual(t, p.hits.Load(), int64(2))
	require.Zero(t, b.verified.Load())
	require.NoError(t, b.try(t.Context(), sign(t, jwa.RS256, key, header(), payload(p.URL))))
}

func TestJWKSReadersAreNotBlockedByAHangingFetch(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p := newIDP(t, public(t, key, "k1"))
	b := newJWTFixture(t, nil, clerkIssuer(p))
	known := sign(t, jwa.RS256, key, header(), payload(p.URL))
	unknown := sign(t, jwa.RS256, key, header("kid", `"k2"`), payload(p.URL))
	require.NoError(t, b.try(t.Context(), known))

	received := make(chan struct{})
	release := make(chan struct{})
	p.respond(func(http.ResponseWriter, *http.Request) { close(received); <-release })
	t.Cleanup(sync.OnceFunc(func() { close(release) }))
	waiting := make(chan error, 1)
	go func() { waiting <- b.try(t.Context(), unknown) }()
	<-received

	began := time.Now()
	for range 100 {
		require.NoError(t, b.try(t.Context(), known))
	}
	require.Less(t, time.Since(began), time.Second)
	require.Empty(t, waiting, "the unknown kid waits for the fetch")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	requireCode(t, apperr.Unauthenticated, b.try(ctx, unknown))
	requireCode(t, apperr.Unauthenticated, <-waiting)
	require.Less(t, time.Since(began), keyWaitTimeout+500*time.Millisecond)
}

func TestJWKSFetchOutlivesTheRequestThatStartedIt(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p := newIDP(t, public(t, key, "k1"))
	good := *p.answer.Load()
	release := make(chan struct{})
	p.respond(func(w http.ResponseWriter, r *http.Request) { <-release; good(w, r) })
	b := newJWTFixture(t, nil, clerkIssuer(p))
	token := sign(t, jwa.RS256, key, header(), payload(p.URL))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	requireCode(t, apperr.Unavailable, b.try(ctx, token))
	close(release)
	require.NoError(t, b.try(t.Context(), token))
	require.EqualValues(t, 1, p.hits.Load())
}

func TestJWKSRedirects(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	elsewhere := newIDP(t, public(t, key, "k1"))
	p := newIDP(t)
	var target atomic.Pointer[string]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			p.publish(t, public(t, key, "k1"))
			(*p.answer.Load())(w, r)
			return
		}
		http.Redirect(w, r, *target.Load(), http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	issuer := Issuer{URL: p.URL, JWKSURL: server.URL + "/jwks", AuthorizedParties: []string{party}}
	b := newJWTFixture(t, nil, issuer)
	token := sign(t, jwa.RS256, key, header(), payload(p.URL))

	away := elsewhere.URL + "/jwks"
	target.Store(&away)
	requireCode(t, apperr.Unavailable, b.try(t.Context(), token))
	require.Zero(t, elsewhere.hits.Load())

	here := "/moved"
	target.Store(&here)
	b.clock.advance(emptyCooldown)
	require.NoError(t, b.try(t.Context(), token))
}

func TestJWKSDiscovery(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p := newIDP(t, public(t, key, "k1"))
	keys := p.URL + "/jwks"
	for name, test := range map[string]struct {
		suffix string // of the configured issuer
		body   func(issuer string) string
		reason string // empty: the keys are found
	}{
		"Found": {"", func(iss string) string {
			return object("issuer", fmt.Sprintf("%q", iss), "jwks_uri", fmt.Sprintf("%q", keys))
		}, ""},
		"TrailingSlash": {"/", func(iss string) string {
			return object("issuer", fmt.Sprintf("%q", iss), "jwks_uri", fmt.Sprintf("%q", keys))
		}, ""},
		"OtherIssuer": {"", func(iss string) string {
			return object("issuer", fmt.Sprintf("%q", iss+"/"), "jwks_uri", fmt.Sprintf("%q", keys))
		}, "discovery document issuer mismatch"},
		"NoIssuer": {"", func(string) string { return object("jwks_uri", fmt.Sprintf("%q", keys)) }, "discovery document issuer mismatch"},
		"NoKeys":   {"", func(iss string) string { return object("issuer", fmt.Sprintf("%q", iss)) }, "not an absolute URL"},
		"PlainHTTP": {"", func(iss string) string {
			return object("issuer", fmt.Sprintf("%q", iss), "jwks_uri", `"http://id.example/jwks"`)
		}, "plain http is for loopback"},
		"File": {"", func(iss string) string {
			return object("issuer", fmt.Sprintf("%q", iss), "jwks_uri", `"file:///etc/keys"`)
		}, "not an absolute URL"},
		"HTML": {"", func(string) string { return "<html>" }, "not a discovery document"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var document atomic.Pointer[string]
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != discoveryPath { // not a ServeMux, which would clean the path
					http.NotFound(w, r)
					return
				}
				_, _ = w.Write([]byte(*document.Load()))
			}))
			t.Cleanup(server.Close)
			iss := server.URL + test.suffix
			body := test.body(iss)
			document.Store(&body)
			b := newJWTFixture(t, nil, Issuer{URL: iss, AuthorizedParties: []string{party}})
			err := b.try(t.Context(), sign(t, jwa.RS256, key, header(), payload(iss)))
			if test.reason == "" {
				require.NoError(t, err)
				return
			}
			requireCode(t, apperr.Unavailable, err)
			_, err = b.issuers[iss].keys.fetch(t.Context())
			require.ErrorContains(t, err, test.reason)
		})
	}
}

func TestJWKSOfSeveralKeysWithOneKid(t *testing.T) {
	t.Parallel()
	first, second := rsaKeys[0](), rsaKeys[1]()
	p := newIDP(t, public(t, first, "k1"), public(t, second, "k1"))
	b := newJWTFixture(t, nil, clerkIssuer(p))
	require.NoError(t, b.try(t.Context(), sign(t, jwa.RS256, first, header(), payload(p.URL))))
	requireCode(t, apperr.Unauthenticated, b.try(t.Context(), sign(t, jwa.RS256, second, header(), payload(p.URL))))
	require.EqualValues(t, 2, b.verified.Load(), "one verification for each request")
}

func TestRunFetchesBeforeTheFirstRequest(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p, away := newIDP(t, public(t, key, "k1")), newIDP(t)
	away.respond(hang)
	static := Issuer{URL: "urn:static", PublicKeyPEM: pemOf(t, key.Public()), AuthorizedParties: []string{party}}
	b := newJWTFixture(t, nil, clerkIssuer(away), clerkIssuer(p), static)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.Run(ctx) }()

	require.Eventually(t, func() bool { return b.issuers[p.URL].keys.snapshot() != nil }, 2*time.Second, time.Millisecond,
		"an issuer that hangs does not delay the others")
	cancel()
	<-ended
	require.NoError(t, b.try(t.Context(), sign(t, jwa.RS256, key, header(), payload(p.URL))))
	require.EqualValues(t, 1, p.hits.Load())
}
