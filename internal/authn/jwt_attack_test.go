package authn

import (
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
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
)

// attack is a request that must be refused, and for this reason: a row that is refused for another proves nothing.
type attack struct {
	name    string
	request *http.Request
	reason  string
}

// target has three issuers that share nothing, and a valid token of the first, from which the attacks are made.
type target struct {
	t                 *testing.T
	fixture           *jwtFixture
	clerk, oidc       *idp
	key, other, weak  *rsa.PrivateKey
	ec                *ecdsa.PrivateKey
	ed                ed25519.PrivateKey
	evil              *httptest.Server // where forged headers point
	evilHits          atomic.Int64
	valid             string
	validHeader, body string
}

func newTarget(t *testing.T) *target {
	t.Helper()
	g := &target{t: t, key: rsaKeys[0](), other: rsaKeys[1](), weak: rsaKeys[3]()}
	var err error
	g.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, g.ed, err = ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	secret, err := jwk.FromRaw([]byte("shared secret"))
	require.NoError(t, err)
	require.NoError(t, secret.Set("kid", "oct"))
	private, err := jwk.FromRaw(g.other)
	require.NoError(t, err)
	require.NoError(t, private.Set("kid", "private"))

	g.clerk = newIDP(t, public(t, g.key, "k1"), public(t, g.other, "k2"), public(t, g.ec, "ec"), public(t, g.ed, "ed"),
		public(t, g.key, "enc", "use", "enc"), public(t, g.key, "wrap", "key_ops", []string{"wrapKey"}),
		public(t, g.key, "ps", "alg", "PS256"), public(t, g.weak, "weak"), public(t, g.key, ""),
		public(t, &rsa.PublicKey{N: g.key.N, E: 1}, "e1"), public(t, &rsa.PublicKey{N: g.key.N, E: 4}, "e4"), secret, private)
	g.oidc = newIDP(t, public(t, g.other, "k1"))
	g.evil = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		g.evilHits.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []jwk.Key{public(t, rsaKeys[2](), "k1")}})
	}))
	t.Cleanup(g.evil.Close)
	static := Issuer{URL: "https://static.example", PublicKeyPEM: pemOf(t, g.key.Public()), Audiences: []string{"versioner"}}
	g.fixture = newJWTFixture(t, nil, clerkIssuer(g.clerk), Issuer{URL: g.oidc.URL, Audiences: []string{"versioner"}}, static)

	g.validHeader, g.body = header(), payload(g.clerk.URL)
	g.valid = g.sign(g.validHeader, g.body)
	return g
}

func (g *target) sign(header, payload string) string {
	g.t.Helper()
	return sign(g.t, jwa.RS256, g.key, header, payload)
}

// The rows' short forms: what differs from the valid token.
func (g *target) head(name, reason string, changes ...string) attack {
	g.t.Helper()
	return attack{name, withBearer(g.sign(header(changes...), g.body)), reason}
}

func (g *target) claim(name, reason string, changes ...string) attack {
	g.t.Helper()
	return attack{name, withBearer(g.sign(g.validHeader, payload(g.clerk.URL, changes...))), reason}
}

func (g *target) rawHead(name, reason, text string) attack {
	g.t.Helper()
	return attack{name, withBearer(g.sign(text, g.body)), reason}
}

func (g *target) rawBody(name, reason, text string) attack {
	g.t.Helper()
	return attack{name, withBearer(g.sign(g.validHeader, text)), reason}
}

func TestJWTRefusesForgeries(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	require.NoError(t, g.fixture.try(t.Context(), g.valid))

	attacks := slices.Concat(g.algorithms(), g.keys(), g.headers(), g.times(), g.parties(), g.identities(), g.forms(),
		g.bodies(), g.signatures(), g.requests())
	seen := map[string]bool{}
	for _, attack := range attacks {
		require.False(t, seen[attack.name], attack.name)
		seen[attack.name] = true
		before := g.fixture.verified.Load()
		g.fixture.resolver.last.Store(nil)

		ctx, err := g.fixture.JWTAuth(t.Context(), attack.request)

		require.Error(t, err, attack.name)
		require.Equal(t, apperr.Unauthenticated, apperr.CodeOf(err), attack.name)
		require.ErrorContains(t, err, attack.reason, attack.name)
		require.Zero(t, PrincipalFrom(ctx), attack.name)
		require.Nil(t, g.fixture.resolver.last.Load(), attack.name)
		verifications := g.fixture.verified.Load() - before
		require.Equal(t, strings.Contains(attack.reason, "wrong signature"), verifications == 1, attack.name)
		require.LessOrEqual(t, verifications, int64(1), attack.name)
	}
	require.Zero(t, g.evilHits.Load(), "a token named where keys come from, and was obeyed")
	require.NoError(t, g.fixture.try(t.Context(), g.valid))
	t.Logf("%d attacks", len(attacks))
}

func (g *target) algorithms() []attack {
	g.t.Helper()
	var rows []attack
	for _, none := range []string{"none", "None", "NONE", "nOnE", "nonE"} {
		text := header("alg", fmt.Sprintf("%q", none))
		rows = append(rows,
			g.rawHead("signed as "+none, "instead of RS256", text),
			attack{"stripped, " + none, withBearer(b64(text) + "." + b64(g.body) + "."), "segment 3"},
			attack{"two segments, " + none, withBearer(b64(text) + "." + b64(g.body)), "2 segments"},
		)
	}
	der, err := x509.MarshalPKIXPublicKey(g.key.Public())
	require.NoError(g.t, err)
	pkcs1 := x509.MarshalPKCS1PublicKey(&g.key.PublicKey)
	key, err := json.Marshal(public(g.t, g.key, "k1"))
	require.NoError(g.t, err)
	forms := map[string][]byte{
		"PEM": pemOf(g.t, g.key.Public()), "trimmed PEM": []byte(strings.TrimSpace(string(pemOf(g.t, g.key.Public())))),
		"PKCS1 PEM": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
		"DER":       der, "PKCS1 DER": pkcs1, "JWK": key, "modulus": g.key.N.Bytes(),
		"modulus text": []byte(base64.RawURLEncoding.EncodeToString(g.key.N.Bytes())), "space": []byte(" "),
	}
	for _, algorithm := range []jwa.SignatureAlgorithm{jwa.HS256, jwa.HS384, jwa.HS512} {
		for name, secret := range forms {
			text := header("alg", fmt.Sprintf("%q", algorithm))
			rows = append(rows, attack{
				algorithm.String() + " with " + name, withBearer(sign(g.t, algorithm, secret, text, g.body)), "instead of RS256",
			})
		}
	}
	for algorithm, key := range map[jwa.SignatureAlgorithm]any{
		jwa.RS384: g.key, jwa.RS512: g.key, jwa.PS256: g.key, jwa.PS384: g.key, jwa.PS512: g.key, jwa.ES256: g.ec, jwa.EdDSA: g.ed,
	} {
		text := header("alg", fmt.Sprintf("%q", algorithm), "kid", map[jwa.SignatureAlgorithm]string{
			jwa.ES256: `"ec"`, jwa.EdDSA: `"ed"`,
		}[algorithm])
		rows = append(rows, attack{"another algorithm, " + algorithm.String(), withBearer(sign(g.t, algorithm, key, text, g.body)), "instead of RS256"})
	}
	return append(rows,
		g.head("alg in lower case", "instead of RS256", "alg", `"rs256"`),
		g.head("alg with a space", "instead of RS256", "alg", `"RS256 "`),
		g.head("alg missing", `"alg" is missing`, "alg", ""),
		g.head("alg null", `"alg" is missing`, "alg", "null"),
		g.head("alg empty", `"alg" is missing`, "alg", `""`),
		g.head("alg of another case only", `"alg" is missing`, "alg", "", "ALG", `"RS256"`),
		g.head("alg a number", `"alg" is not a string`, "alg", "256"),
		g.head("alg a list", `"alg" is not a string`, "alg", `["RS256"]`),
		attack{"PS256 passed off as RS256", withBearer(sign(g.t, jwa.PS256, g.key, g.validHeader, g.body)), "wrong signature"},
		attack{"RS512 passed off as RS256", withBearer(sign(g.t, jwa.RS512, g.key, g.validHeader, g.body)), "wrong signature"},
	)
}

func (g *target) keys() []attack {
	g.t.Helper()
	var rows []attack
	for _, kid := range []string{"unknown", "K1", "k1 ", "enc", "wrap", "ps", "weak", "e1", "e4", "ec", "ed", "oct", "private", "../../../dev/null", "' OR 1=1 --"} {
		rows = append(rows, g.head("kid "+kid, errUnknownKey.Error(), "kid", fmt.Sprintf("%q", kid)))
	}
	return append(rows,
		g.head("kid missing, several keys", errUnknownKey.Error(), "kid", ""),
		g.head("kid empty", `"kid" is missing or empty`, "kid", `""`),
		g.head("kid null", `"kid" is missing or empty`, "kid", "null"),
		g.head("kid a number", `"kid" is not a string`, "kid", "1"),
		g.head("kid a list", `"kid" is not a string`, "kid", `["k1"]`),
		g.head("kid an object", `"kid" is not a string`, "kid", `{"k1":1}`),
		g.head("kid with NUL", `"kid" is not a string`, "kid", `"k1\u0000"`),
		g.head("another key of the set", "wrong signature", "kid", `"k2"`),
		attack{"weak key's signature", withBearer(sign(g.t, jwa.RS256, g.weak, header("kid", `"weak"`), g.body)), errUnknownKey.Error()},
	)
}

func (g *target) headers() []attack {
	g.t.Helper()
	forger := rsaKeys[2]()
	key, err := json.Marshal(public(g.t, forger, "k1"))
	require.NoError(g.t, err)
	forged := func(name string, changes ...string) attack {
		return attack{name, withBearer(sign(g.t, jwa.RS256, forger, header(changes...), g.body)), "is not allowed"}
	}
	address := fmt.Sprintf("%q", g.evil.URL+"/jwks")
	certificate := fmt.Sprintf("[%q]", base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&forger.PublicKey)))
	return []attack{
		forged("jku", "jku", address),
		forged("jku, unknown kid", "jku", address, "kid", `"x"`),
		forged("x5u", "x5u", address),
		forged("jwk", "jwk", string(key)),
		forged("jwk without kid", "jwk", string(key), "kid", ""),
		forged("x5c", "x5c", certificate),
		g.head("jku, well signed", "is not allowed", "jku", address),
		g.head("jku null", "is not allowed", "jku", "null"),
		g.head("x5u, well signed", "is not allowed", "x5u", address),
		g.head("jwk, well signed", "is not allowed", "jwk", string(key)),
		g.head("crit with exp", "is not allowed", "crit", `["exp"]`, "exp", "1"),
		g.head("crit empty", "is not allowed", "crit", "[]"),
		g.head("crit with b64", "is not allowed", "crit", `["b64"]`, "b64", "false"),
		g.head("b64 without crit", "is not allowed", "b64", "false"),
		g.head("zip", "is not allowed", "zip", `"DEF"`),
		g.head("cty of a nested token", "is not allowed", "cty", `"JWT"`),
		g.head("typ of another thing", "typ is", "typ", `"JOSE"`),
		g.head("typ of a logout token", "typ is", "typ", `"logout+jwt"`),
		g.head("typ of another application", "typ is", "typ", `"application/logout+jwt"`),
		g.head("typ with two prefixes", "typ is", "typ", `"application/application/jwt"`),
		g.head("typ a number", `"typ" is not a string`, "typ", "1"),
		g.head("typ empty", `"typ" is missing or empty`, "typ", `""`),
		g.rawHead("alg twice", "strict JSON", `{"alg":"none","alg":"RS256","kid":"k1"}`),
		g.rawHead("alg twice, same", "strict JSON", `{"alg":"RS256","alg":"RS256","kid":"k1"}`),
		g.rawHead("alg twice, escaped", "strict JSON", `{"alg":"RS256","\u0061lg":"none","kid":"k1"}`),
		g.rawHead("kid twice", "strict JSON", `{"alg":"RS256","kid":"k2","kid":"k1"}`),
		g.rawHead("header a list", "not a JSON object", `["RS256"]`),
		g.rawHead("header null", "not a JSON object", `null`),
		g.rawHead("header a text", "not a JSON object", `"RS256"`),
		g.rawHead("header empty", "is missing", `{}`),
		g.rawHead("header followed by more", "strict JSON", g.validHeader+"{}"),
		g.rawHead("header with invalid UTF-8", "strict JSON", strings.Replace(g.validHeader, "k1", "k1\xff", 1)),
		g.rawHead("header with a comment", "strict JSON", `{"alg":"RS256",/**/"kid":"k1"}`),
		g.rawHead("header cut", "strict JSON", strings.TrimSuffix(g.validHeader, "}")),
	}
}

func (g *target) times() []attack {
	g.t.Helper()
	rows := []attack{
		g.claim("exp missing", "exp is not", "exp", ""),
		g.claim("exp 0", "expired", "exp", "0"),
		g.claim("exp -0", "expired", "exp", "-0"),
		g.claim("exp negative", "expired", "exp", "-1"),
		g.claim("exp very negative", "expired", "exp", "-1e300"),
		g.claim("exp tiny", "expired", "exp", "1e-300"),
		g.claim("exp just past the skew", "expired", "exp", at(-5)),
		g.claim("exp yesterday", "expired", "exp", at(-86400)),
		g.claim("exp beyond 2^33", "up to 2^33", "exp", "8589934593"),
		g.claim("exp a little beyond 2^33", "up to 2^33", "exp", "8589934592.001"),
		g.claim("exp in milliseconds", "up to 2^33", "exp", at(60)+"000"),
		g.claim("exp 2^63", "up to 2^33", "exp", "9223372036854775808"),
		g.claim("exp 2^64 wraps", "up to 2^33", "exp", fmt.Sprintf("1844674407%d", uint64(3709551616)+noon)),
		g.claim("exp 1e300", "up to 2^33", "exp", "1e300"),
		g.claim("exp 1e400", "", "exp", "1e400"),
		g.claim("exp NaN", "strict JSON", "exp", "NaN"),
		g.claim("exp Infinity", "strict JSON", "exp", "Infinity"),
		g.claim("exp hexadecimal", "strict JSON", "exp", "0x7fffffff"),
		g.claim("exp with a plus", "strict JSON", "exp", "+1800000060"),
		g.claim("exp with leading zero", "strict JSON", "exp", "01800000060"),
		g.claim("exp of another case", "exp is not", "exp", "", "EXP", at(60)),
	}
	for name, value := range map[string]string{
		"text": `"1800000060"`, "null": "null", "true": "true", "list": "[1800000060]", "object": `{"a":1800000060}`, "date": `"2030-01-01T00:00:00Z"`,
	} {
		rows = append(rows, g.claim("exp "+name, "exp is not", "exp", value),
			g.claim("nbf "+name, "nbf is not", "nbf", value), g.claim("iat "+name, "iat is not", "iat", value))
	}
	for _, claim := range []string{"nbf", "iat"} {
		rows = append(rows, g.claim(claim+" past the skew", claim+" is not", claim, at(6)),
			g.claim(claim+" a fraction past the skew", claim+" is not", claim, at(5)+".5"),
			g.claim(claim+" huge", claim+" is not", claim, "1e300"))
	}
	return rows
}

func (g *target) parties() []attack {
	g.t.Helper()
	rows := []attack{
		g.claim("iss missing", `"iss" is missing`, "iss", ""),
		g.claim("iss null", `"iss" is missing`, "iss", "null"),
		g.claim("iss a number", `"iss" is not a string`, "iss", "1"),
		g.claim("iss a list", `"iss" is not a string`, "iss", fmt.Sprintf("[%q]", g.clerk.URL)),
		g.claim("azp missing", "azp", "azp", ""),
		g.claim("azp null", "azp", "azp", "null"),
		g.claim("azp a list", "azp", "azp", `["`+party+`"]`),
		g.claim("azp as aud only", "azp", "azp", "", "aud", `"`+party+`"`),
		g.claim("iss of a configured issuer, key of another", "wrong signature", "iss", fmt.Sprintf("%q", g.oidc.URL), "aud", `"versioner"`),
	}
	for name, iss := range map[string]string{
		"trailing slash": g.clerk.URL + "/", "upper case": strings.ToUpper(g.clerk.URL), "leading space": " " + g.clerk.URL,
		"NUL": g.clerk.URL + "\x00", "query": g.clerk.URL + "?", "user": strings.Replace(g.clerk.URL, "//", "//a@", 1), "evil": g.evil.URL,
		"prefix": g.clerk.URL[:len(g.clerk.URL)-1], "longer": g.clerk.URL + ".evil.example", "scheme": strings.Replace(g.clerk.URL, "http", "https", 1),
	} {
		text, err := json.Marshal(iss)
		require.NoError(g.t, err)
		rows = append(rows, g.claim("iss "+name, "", "iss", string(text)))
	}
	for _, azp := range []string{party + "/", strings.ToUpper(party), "https://app.example.evil", "https://evil.example", "", "null"} {
		rows = append(rows, g.claim("azp "+azp+".", "azp", "azp", fmt.Sprintf("%q", azp)))
	}
	for name, aud := range map[string]string{
		"missing": "", "other client's ID token": `"client_7"`, "case": `"Versioner"`, "null": "null", "empty": `""`, "empty list": "[]",
		"number": "1", "object": `{"versioner":true}`, "list without": `["a","b"]`, "list with number": `["versioner",1]`,
		"list in list": `[["versioner"]]`, "joined": `"a versioner"`, "prefix": `"version"`,
	} {
		token := sign(g.t, jwa.RS256, g.other, header(), payload(g.oidc.URL, "aud", aud))
		rows = append(rows, attack{"aud " + name, withBearer(token), "aud holds none"})
	}
	good := sign(g.t, jwa.RS256, g.other, header(), payload(g.oidc.URL, "aud", `"versioner"`))
	require.NoError(g.t, g.fixture.try(g.t.Context(), good))
	static := payload("https://static.example", "aud", `"versioner"`)
	require.NoError(g.t, g.fixture.try(g.t.Context(), g.sign(header(), static)))
	return append(rows, attack{"static key, other signature", withBearer(sign(g.t, jwa.RS256, g.other, header(), static)), "wrong signature"})
}

func (g *target) identities() []attack {
	g.t.Helper()
	var rows []attack
	for _, claim := range []string{"sub", "org_id"} {
		for name, value := range map[string]string{"missing": "", "empty": `""`, "null": "null"} {
			rows = append(rows, g.claim(claim+" "+name, fmt.Sprintf("claim %q is missing", claim), claim, value))
		}
		for name, value := range map[string]string{"a number": "7", "a list": `["a"]`, "true": "true", "with NUL": `"a\u0000b"`} {
			rows = append(rows, g.claim(claim+" "+name, fmt.Sprintf("claim %q is not a string", claim), claim, value))
		}
	}
	for _, claim := range []string{"org_slug", "name", "email", "sid"} {
		rows = append(rows, g.claim(claim+" a list", fmt.Sprintf("claim %q is not a string", claim), claim, `["a"]`))
	}
	for name, value := range map[string]string{"pending": `"pending"`, "null": "null", "empty": `""`, "a list": `["active"]`} {
		rows = append(rows, g.claim("sts "+name, "not active", "sts", value))
	}
	for name, value := range map[string]string{"an object": `{"sub":"admin_1"}`, "null": "null", "empty": "{}"} {
		rows = append(rows, g.claim("act "+name, "act is not allowed", "act", value))
	}
	return append(rows,
		g.claim("role a number", `"org_role" is not a string`, "org_role", "1"),
		g.claim("role a list of lists", `"org_role" is not a list of strings`, "org_role", `[["admin"]]`),
		g.claim("role a list with NUL", `"org_role" is not a list of strings`, "org_role", `["ad\u0000min"]`),
		g.claim("organisations of both versions differ, version 1", "org_id and o.id differ", "o", `{"id":"org_2"}`),
		g.claim("organisations of both versions differ, version 2", "org_id and o.id differ", "v", "2", "o", `{"id":"org_2"}`),
		g.claim("organisations of both versions are lists", "is not a string", "org_id", `["a"]`, "o", `{"id":["a"]}`),
		g.claim("version 2 with claims of version 1", `"o.id" is missing`, "v", "2"),
		g.claim("version 2, organisation a text", `"o.id" is missing`, "v", "2", "o", `"org_1"`),
		g.claim("version 2, organisation without id", `"o.id" is missing`, "v", "2", "o", `{"slg":"acme"}`),
		g.claim("version 2, organisation id a number", `"o.id" is not a string`, "v", "2", "o", `{"id":1}`),
		g.claim("version 1 with claims of version 2", `"org_id" is missing`, "org_id", "", "o", `{"id":"org_1"}`),
	)
}
