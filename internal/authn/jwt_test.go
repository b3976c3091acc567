package authn

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
)

const (
	noon  = 1_800_000_000 // when the tests take place, in Unix seconds
	party = "https://app.example"
)

// Making RSA keys is slow; none of them is ever changed.
var rsaKeys = [...]func() *rsa.PrivateKey{newRSA(2048), newRSA(2048), newRSA(2048), newRSA(1024)} //nolint:gochecknoglobals // made once

func newRSA(bits int) func() *rsa.PrivateKey {
	return sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		return key
	})
}

type clock struct{ unix atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(noon+c.unix.Load(), 0) }
func (c *clock) advance(d time.Duration) { c.unix.Add(int64(d / time.Second)) }

// idp is the server of an issuer.
type idp struct {
	*httptest.Server

	hits   atomic.Int64 // of the JWKS
	answer atomic.Pointer[http.HandlerFunc]
}

func newIDP(t *testing.T, keys ...jwk.Key) *idp {
	t.Helper()
	p := &idp{}
	p.publish(t, keys...)
	routes := http.NewServeMux()
	routes.HandleFunc("/jwks", func(w http.ResponseWriter, r *http.Request) {
		p.hits.Add(1)
		(*p.answer.Load())(w, r)
	})
	routes.HandleFunc(discoveryPath, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q, "more": [1]}`, p.URL, p.URL+"/jwks")
	})
	p.Server = httptest.NewServer(routes)
	t.Cleanup(func() { p.CloseClientConnections(); p.Close() })
	return p
}

func (p *idp) publish(t *testing.T, keys ...jwk.Key) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"keys": keys})
	require.NoError(t, err)
	p.respond(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
}

func (p *idp) respond(handler http.HandlerFunc) { p.answer.Store(&handler) }

// public returns the JWK of a key's public half; settings are pairs of name and value.
func public(t *testing.T, key any, kid string, settings ...any) jwk.Key {
	t.Helper()
	private, err := jwk.FromRaw(key)
	require.NoError(t, err)
	result, err := private.PublicKey()
	require.NoError(t, err)
	settings = append([]any{"kid", kid, "use", "sig"}, settings...)
	for i := 0; i < len(settings); i += 2 {
		name, ok := settings[i].(string)
		require.True(t, ok)
		require.NoError(t, result.Set(name, settings[i+1]))
	}
	return result
}

// object writes a JSON object from pairs of name and JSON text; a later pair replaces an earlier one, an empty text
// removes it.
func object(pairs ...string) string {
	var names []string
	values := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		if _, ok := values[pairs[i]]; !ok {
			names = append(names, pairs[i])
		}
		values[pairs[i]] = pairs[i+1]
	}
	var members []string
	for _, name := range names {
		if values[name] != "" {
			members = append(members, fmt.Sprintf("%q:%s", name, values[name]))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func header(changes ...string) string {
	return object(append([]string{"alg", `"RS256"`, "kid", `"k1"`, "typ", `"JWT"`}, changes...)...)
}

// payload is what Clerk's version 1 claims.
func payload(issuer string, changes ...string) string {
	return object(append([]string{
		"iss", fmt.Sprintf("%q", issuer), "sub", `"user_1"`, "azp", `"` + party + `"`, "sid", `"sess_1"`,
		"exp", at(60), "nbf", at(-10), "iat", at(0),
		"org_id", `"org_1"`, "org_slug", `"acme"`, "org_role", `"org:admin"`,
	}, changes...)...)
}

// at is a date of a claim, in seconds from the time of the tests.
func at(seconds int) string { return strconv.Itoa(noon + seconds) }

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// sign makes a token of any header and payload, however wrong.
func sign(t *testing.T, algorithm jwa.SignatureAlgorithm, key any, header, payload string) string {
	t.Helper()
	signer, err := jws.NewSigner(algorithm)
	require.NoError(t, err)
	signed := b64(header) + "." + b64(payload)
	signature, err := signer.Sign([]byte(signed), key)
	require.NoError(t, err)
	return signed + "." + b64(string(signature))
}

// stubResolver accepts every organisation, and keeps the identity for the test.
type stubResolver struct {
	err  error
	last atomic.Pointer[Identity]
}

func (b *stubResolver) Resolve(_ context.Context, identity Identity) (Principal, error) {
	b.last.Store(&identity)
	return Principal{AccountID: uuid.NewSHA1(uuid.Nil, []byte(identity.Issuer+identity.OrganizationID))}, b.err
}

// bench is a validator with its clock and a count of signature verifications.
type jwtFixture struct {
	*JWTs

	clock    clock
	resolver stubResolver
	verified atomic.Int64
}

func newJWTFixture(t *testing.T, client *http.Client, issuers ...Issuer) *jwtFixture {
	t.Helper()
	b := &jwtFixture{}
	jwts, err := NewJWTs(issuers, &b.resolver, client, b.clock.now, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	b.JWTs = jwts
	b.verify = func(algorithm string, signed, signature []byte, key crypto.PublicKey) error {
		b.verified.Add(1)
		return verifySignature(algorithm, signed, signature, key)
	}
	return b
}

func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func withBearer(token string) *http.Request { return request("Authorization", "Bearer "+token) }

func (b *jwtFixture) try(ctx context.Context, token string) error {
	_, err := b.JWTAuth(ctx, withBearer(token))
	return err
}

// accept checks the identity, and that the context carries the principal of the tenant.
func (b *jwtFixture) accept(t *testing.T, r *http.Request, want Identity) {
	t.Helper()
	ctx, err := b.JWTAuth(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, want, *b.resolver.last.Load())
	require.Equal(t, uuid.NewSHA1(uuid.Nil, []byte(want.Issuer+want.OrganizationID)), PrincipalFrom(ctx).AccountID)
}

func clerkIssuer(p *idp) Issuer {
	return Issuer{URL: p.URL, JWKSURL: p.URL + "/jwks", AuthorizedParties: []string{party}}
}

func validIdentity(issuer string) Identity {
	return Identity{
		Issuer: issuer, OrganizationID: "org_1", OrganizationSlug: "acme", Subject: "user_1", Roles: []string{"admin"}, SessionID: "sess_1",
	}
}

func TestJWTReadsClaims(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p := newIDP(t, public(t, key, "k1"))
	oidc := Issuer{
		URL: p.URL, Audiences: []string{"other", "versioner"}, // its JWKS is discovered
		RoleClaim: "https://claims.example/app.role", OrganizationClaim: "tenant.id",
	}
	for name, test := range map[string]struct {
		issuer  Issuer
		changes []string
		want    func(*Identity)
	}{
		"ClerkVersion1": {clerkIssuer(p), nil, func(*Identity) {}},
		"ClerkVersion2": {
			clerkIssuer(p),
			[]string{"org_id", "", "org_slug", "", "org_role", "", "v", "2", "o", `{"id":"org_2","slg":"globex","rol":"viewer"}`},
			func(i *Identity) {
				i.OrganizationID, i.OrganizationSlug, i.Roles = "org_2", "globex", []string{"viewer"}
			},
		},
		"ClerkVersion2WithVersion1Claims": {
			clerkIssuer(p),
			[]string{"v", "2", "o", `{"id":"org_1"}`},
			func(i *Identity) { i.OrganizationSlug, i.Roles = "", nil },
		},
		"ListOfRoles": {
			oidc,
			[]string{"aud", `"versioner"`, "tenant", `{"id":"t-7"}`, "https://claims.example/app.role", `["viewer","admin"]`},
			func(i *Identity) { i.OrganizationID, i.Roles = "t-7", []string{"viewer", "admin"} },
		},
		"GenericOIDC": {
			oidc,
			[]string{
				"azp", "", "aud", `["versioner","third"]`, "org_id", "", "org_slug", "", "org_role", "", "sid", "",
				"tenant", `{"id":"t-7"}`, "https://claims.example/app", `1`, "https://claims.example/app.role", `"qa"`,
				"name", `"Ada Lovelace"`, "email", `"ada@example.org"`,
			},
			func(i *Identity) {
				*i = Identity{
					Issuer: p.URL, OrganizationID: "t-7", Subject: "user_1", Roles: []string{"qa"}, Name: "Ada Lovelace", Email: "ada@example.org",
				}
			},
		},
		"ConfiguredRoleIsTakenAsItIs": {
			oidc,
			[]string{"aud", `"versioner"`, "tenant", `{"id":"t-7"}`, "https://claims.example/app.role", `"org:qa"`},
			func(i *Identity) { i.OrganizationID, i.Roles = "t-7", []string{"org:qa"} },
		},
		"NullIsAbsent": {
			clerkIssuer(p), []string{"name", "null", "email", "null", "org_role", "null"}, func(i *Identity) { i.Roles = nil },
		},
		"WithinTheSkew":     {clerkIssuer(p), []string{"exp", at(-4), "nbf", at(5), "iat", at(5)}, func(*Identity) {}},
		"FractionOfSecond":  {clerkIssuer(p), []string{"exp", at(-5) + ".5", "nbf", "", "iat", ""}, func(*Identity) {}},
		"LatestDate":        {clerkIssuer(p), []string{"exp", "8589934592"}, func(*Identity) {}},
		"UnknownClaims":     {clerkIssuer(p), []string{"fva", "[1,2]", "sts", `"active"`}, func(*Identity) {}},
		"OtherVersionIsOne": {clerkIssuer(p), []string{"v", `"2"`}, func(*Identity) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newJWTFixture(t, nil, test.issuer)
			want := validIdentity(p.URL)
			test.want(&want)
			b.accept(t, withBearer(sign(t, jwa.RS256, key, header(), payload(p.URL, test.changes...))), want)
			require.EqualValues(t, 1, b.verified.Load())
		})
	}
}

func TestJWTReadsHeaders(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p := newIDP(t, public(t, key, "k1"))
	b := newJWTFixture(t, nil, clerkIssuer(p))
	for name, text := range map[string]string{
		"NoTypeNoKid": header("typ", "", "kid", ""), // the set holds one key
		"AccessToken": header("typ", `"at+jwt"`),
		"MediaType":   header("typ", `"application/at+jwt"`),
		"LowerCase":   header("typ", `"jwt"`),
		"UnknownName": header("cat", `"cl_1"`, "x5t", `"abc"`),
	} {
		require.NoError(t, b.try(t.Context(), sign(t, jwa.RS256, key, text, payload(p.URL))), name)
	}
}

func TestJWTIsFoundInHeaderOrCookie(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p := newIDP(t, public(t, key, "k1"))
	b := newJWTFixture(t, nil, clerkIssuer(p))
	token := sign(t, jwa.RS256, key, header(), payload(p.URL))
	other := sign(t, jwa.RS256, key, header(), payload(p.URL, "org_id", `"org_9"`))

	b.accept(t, request("Authorization", "bearer "+token), validIdentity(p.URL))
	b.accept(t, request("Authorization", " Bearer \t"+token+"\r\n"), validIdentity(p.URL))
	b.accept(t, request("Cookie", "__session="+token), validIdentity(p.URL))
	b.accept(t, request("Cookie", `a=b; __session_x=c; broken="; __session=`+token+"; __client=d"), validIdentity(p.URL))
	b.accept(t, request("Authorization", "Bearer "+token, "Cookie", "__session="+other), validIdentity(p.URL))
	b.accept(t, request("Authorization", "Bearer "+token, "Cookie", "__session=x; __session=y"), validIdentity(p.URL))
}

func TestJWTOfSeveralIssuers(t *testing.T) {
	t.Parallel()
	first, second := rsaKeys[0](), rsaKeys[1]()
	p, q := newIDP(t, public(t, first, "k1")), newIDP(t, public(t, second, "k1"))
	b := newJWTFixture(t, nil, clerkIssuer(p), clerkIssuer(q))
	b.accept(t, withBearer(sign(t, jwa.RS256, first, header(), payload(p.URL))), validIdentity(p.URL))
	b.accept(t, withBearer(sign(t, jwa.RS256, second, header(), payload(q.URL))), validIdentity(q.URL))
	require.ErrorContains(t, b.try(t.Context(), sign(t, jwa.RS256, first, header(), payload(q.URL))), "wrong signature")
}

func pemOf(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestJWTOfEachAlgorithm(t *testing.T) {
	t.Parallel()
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	rsaKey := rsaKeys[0]()
	keys := map[string]crypto.Signer{
		"RS256": rsaKey, "RS384": rsaKey, "RS512": rsaKey, "PS256": rsaKey, "ES256": p256, "ES384": p384, "EdDSA": edwards,
	}
	require.Len(t, keys, len(algorithms()))
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newIDP(t, public(t, p384, "e"), public(t, p256, "e2"), public(t, edwards, "o"), public(t, rsaKey, "r"),
				public(t, key, "k1", "alg", name))
			served := Issuer{URL: p.URL, Algorithm: name, AuthorizedParties: []string{party}}
			static := Issuer{
				URL: "urn:static", PublicKeyPEM: pemOf(t, key.Public()), Algorithm: name, AuthorizedParties: []string{party},
			}
			b := newJWTFixture(t, nil, served, static)
			text := header("alg", fmt.Sprintf("%q", name))
			b.accept(t, withBearer(sign(t, jwa.SignatureAlgorithm(name), key, text, payload(p.URL))), validIdentity(p.URL))
			text = header("alg", fmt.Sprintf("%q", name), "kid", `"any"`)
			b.accept(t, withBearer(sign(t, jwa.SignatureAlgorithm(name), key, text, payload("urn:static"))), validIdentity("urn:static"))
		})
	}
}

func TestJWTPassesOnErrorsOfTenants(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	p := newIDP(t, public(t, key, "k1"))
	b := newJWTFixture(t, nil, clerkIssuer(p))
	b.resolver.err = apperr.New(apperr.Unavailable, "the database is away")
	require.Equal(t, b.resolver.err, b.try(t.Context(), sign(t, jwa.RS256, key, header(), payload(p.URL))))
}

func TestIssuerCheck(t *testing.T) {
	t.Parallel()
	key := rsaKeys[0]()
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	good := Issuer{URL: "https://id.example", Audiences: []string{"versioner"}}
	for name, test := range map[string]struct {
		change   func(*Issuer)
		problems []string
	}{
		"Discovered":           {func(*Issuer) {}, nil},
		"LoopbackName":         {func(i *Issuer) { i.JWKSURL = "http://localhost:8080/jwks" }, nil},
		"LoopbackAddress":      {func(i *Issuer) { i.JWKSURL = "http://[::1]/jwks" }, nil},
		"StaticKey":            {func(i *Issuer) { i.URL, i.PublicKeyPEM = "dev", pemOf(t, key.Public()) }, nil},
		"NoRecipient":          {func(i *Issuer) { i.Audiences = nil }, []string{"neither audiences nor authorized parties"}},
		"EmptyAudience":        {func(i *Issuer) { i.Audiences = []string{"a", ""} }, []string{"audience or authorized party is empty"}},
		"UnknownAlgorithm":     {func(i *Issuer) { i.Algorithm = "HS256" }, []string{`algorithm "HS256" is none of`}},
		"None":                 {func(i *Issuer) { i.Algorithm = "none" }, []string{`algorithm "none" is none of`}},
		"NoURL":                {func(i *Issuer) { i.URL = "" }, []string{"the URL is empty", "no public key, no JWKS URL"}},
		"NoKeySource":          {func(i *Issuer) { i.URL = "urn:x" }, []string{"no public key, no JWKS URL"}},
		"PlainHTTP":            {func(i *Issuer) { i.JWKSURL = "http://id.example/jwks" }, []string{"plain http is for loopback"}},
		"PlainHTTPIssuer":      {func(i *Issuer) { i.URL = "http://localhost.id.example" }, []string{"plain http is for loopback"}},
		"FileURL":              {func(i *Issuer) { i.JWKSURL = "file:///etc/passwd" }, []string{"not an absolute URL"}},
		"URLWithPassword":      {func(i *Issuer) { i.JWKSURL = "https://u:secret@id.example" }, []string{"u:xxxxx@"}},
		"NotAURL":              {func(i *Issuer) { i.JWKSURL = "https://%zz" }, []string{"not a URL"}},
		"TwoKeySources":        {func(i *Issuer) { i.JWKSURL, i.PublicKeyPEM = "https://id.example/j", []byte("x") }, []string{"exclude each other"}},
		"PrivateKey":           {func(i *Issuer) { i.PublicKeyPEM = private }, []string{"not a public key"}},
		"NotPEM":               {func(i *Issuer) { i.PublicKeyPEM = []byte("x") }, []string{"not a PEM public key"}},
		"WeakKey":              {func(i *Issuer) { i.PublicKeyPEM = pemOf(t, rsaKeys[3]().Public()) }, []string{"too weak"}},
		"KeyOfOtherType":       {func(i *Issuer) { i.PublicKeyPEM, i.Algorithm = pemOf(t, key.Public()), "ES256" }, []string{"not a public key for ES256"}},
		"EverythingAtOnce":     {func(i *Issuer) { *i = Issuer{Algorithm: "x"} }, []string{"URL is empty", "neither", "algorithm", "no public key"}},
		"UnknownAlgorithmOnce": {func(i *Issuer) { i.PublicKeyPEM, i.Algorithm = pemOf(t, key.Public()), "x" }, []string{"algorithm"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := good
			test.change(&issuer)
			err := issuer.Check()
			if test.problems == nil {
				require.NoError(t, err)
				return
			}
			for _, problem := range test.problems {
				require.ErrorContains(t, err, problem)
			}
			require.NotContains(t, err.Error(), "secret")
			require.Len(t, strings.Split(err.Error(), "\n"), len(test.problems))
			_, err = NewJWTs([]Issuer{issuer}, nil, nil, time.Now, nil)
			require.Error(t, err)
		})
	}
	_, err := NewJWTs([]Issuer{good, good}, nil, nil, time.Now, nil)
	require.ErrorContains(t, err, "configured twice")
}
