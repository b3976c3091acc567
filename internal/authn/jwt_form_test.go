package authn

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/stretchr/testify/require"
)

// The rows of TestJWTRefusesForgeries that are about bytes: of the token, its payload, its signature and the request.

func (g *target) forms() []attack {
	g.t.Helper()
	parts := strings.Split(g.valid, ".")
	rows := []attack{
		{"10 KB", withBearer(g.sign(g.validHeader, payload(g.clerk.URL, "x", `"`+strings.Repeat("a", 10_000)+`"`))), "more than 8192"},
		{"10 KB of dots", withBearer(strings.Repeat(".", 10_000)), "more than 8192"},
		{"nested token", withBearer(g.sign(g.validHeader, g.valid)), "not a JSON object"},
		{"JSON serialisation", withBearer(fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2])), "segments"},
		{"JSON serialisation with dots", withBearer(fmt.Sprintf(`{"protected":%q,"payload":"..","signature":%q}`, parts[0], parts[2])), "segment 1"},
		{"standard base64", withBearer(base64.RawStdEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"???>>>"}`)) + "." + parts[1] + "." + parts[2]), "segment 1"},
		{"detached payload", withBearer(parts[0] + ".." + parts[2]), "segment 2"},
		{"empty header", withBearer("." + parts[1] + "." + parts[2]), "segment 1"},
		{"not ASCII", withBearer(parts[0] + "." + parts[1] + ".é"), "segment 3"},
		{"fullwidth dots", withBearer(strings.ReplaceAll(g.valid, ".", "．")), "1 segments"},
		{"percent-encoded dots", withBearer(strings.ReplaceAll(g.valid, ".", "%2E")), "1 segments"},
		{"impossible length", withBearer(parts[0] + "." + parts[1] + ".a"), "segment 3"},
		{"another spelling of the last byte", withBearer(respell(g.t, g.valid)), "segment 3"},
		{"JWE", withBearer(b64(`{"alg":"RSA-OAEP","enc":"A128GCM"}`) + ".a.b.c.d"), "5 segments"},
		{"JWE header on three segments", withBearer(b64(`{"alg":"dir","enc":"A128GCM","kid":"k1"}`) + "." + parts[1] + "." + parts[2]), "not allowed"},
	}
	for count, text := range map[int]string{1: parts[0], 2: parts[0] + "." + parts[1], 4: g.valid + "." + parts[2], 5: g.valid + "." + parts[1] + "." + parts[2]} {
		rows = append(rows, attack{fmt.Sprintf("%d segments", count), withBearer(text), fmt.Sprintf("%d segments", count)})
	}
	for name, text := range map[string]string{
		"trailing dot": g.valid + ".", "leading dot": "." + g.valid, "only dots": "..", "a dot": ".",
	} {
		rows = append(rows, attack{name, withBearer(text), "segment"})
	}
	for name, extra := range map[string]string{
		"padding": "=", "more padding": "==", "space": " ", "tab": "\t", "line feed": "\n", "carriage return": "\r", "line end": "\r\n", "NUL": "\x00",
	} {
		isSpace := strings.TrimSpace(extra) == "" // trimmed at the ends of the token
		for i := range parts {
			if isSpace && i == len(parts)-1 {
				continue
			}
			changed := [3]string(parts)
			changed[i] += extra
			rows = append(rows, attack{fmt.Sprintf("%s after segment %d", name, i+1), withBearer(strings.Join(changed[:], ".")), "segment"})
		}
		rows = append(rows, attack{name + " within", withBearer(parts[0] + "." + parts[1][:4] + extra + parts[1][4:] + "." + parts[2]), "segment 2"})
		if !isSpace {
			rows = append(rows, attack{name + " before", withBearer(extra + g.valid), "segment 1"})
		}
	}
	return rows
}

// respell sets bits that decoding drops: the same bytes, in another text.
func respell(t *testing.T, token string) string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	respelled := token[:len(token)-1] + string(alphabet[last+1])
	a, err := base64.RawURLEncoding.DecodeString(token[strings.LastIndex(token, ".")+1:])
	require.NoError(t, err)
	b, err := base64.RawURLEncoding.DecodeString(respelled[strings.LastIndex(respelled, ".")+1:])
	require.NoError(t, err)
	require.Equal(t, a, b)
	return respelled
}

func (g *target) bodies() []attack {
	g.t.Helper()
	with := func(text string) string { return strings.TrimSuffix(g.body, "}") + "," + text + "}" }
	rows := []attack{
		g.rawBody("claims followed by more", "strict JSON", g.body+g.body),
		g.rawBody("byte order mark", "not a JSON object", "\ufeff"+g.body),
		g.rawBody("invalid UTF-8", "strict JSON", strings.Replace(g.body, "user_1", "user\xff", 1)),
		g.rawBody("overlong UTF-8", "strict JSON", strings.Replace(g.body, "user_1", "user\xc0\xaf", 1)),
		g.rawBody("half a surrogate pair", "strict JSON", strings.Replace(g.body, "user_1", `user\ud800`, 1)),
		g.rawBody("single quotes", "strict JSON", strings.ReplaceAll(g.body, `"`, `'`)),
		g.rawBody("trailing comma", "strict JSON", strings.TrimSuffix(g.body, "}")+",}"),
		g.rawBody("claims cut", "strict JSON", strings.TrimSuffix(g.body, "}")),
		g.rawBody("no claims", `"iss" is missing`, "{}"),
		g.rawBody("organisation twice within", "strict JSON", payload(g.clerk.URL, "v", "2", "o", `{"id":"org_1","id":"org_9"}`)),
		g.rawBody("organisation twice, escaped", "strict JSON", with(`"org\u005fid":"org_9"`)),
		g.rawBody("deeply nested", "strict JSON", with(`"x":`+strings.Repeat("[", 4000))),
		g.rawBody("compressed", "not a JSON object", "\x1f\x8b\x08\x00"+g.body),
	}
	for name, text := range map[string]string{
		"a list": "[" + g.body + "]", "a text": `"iss"`, "null": "null", "a number": "1", "true": "true", "spaces": "  ", "text": "claims",
	} {
		rows = append(rows, g.rawBody("payload "+name, "not a JSON object", text))
	}
	for claim, value := range map[string]string{
		"iss": `"https://evil.example"`, "sub": `"user_9"`, "org_id": `"org_9"`, "exp": "9999999", "azp": `"` + party + `"`, "v": "1,\"v\":2",
	} {
		rows = append(rows, g.rawBody(claim+" twice", "strict JSON", with(fmt.Sprintf("%q:%s", claim, value))))
	}
	return rows
}

func (g *target) signatures() []attack {
	g.t.Helper()
	parts := strings.Split(g.valid, ".")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	require.NoError(g.t, err)
	head := parts[0] + "." + parts[1] + "."
	replaced := func(name string, signature []byte) attack {
		return attack{name, withBearer(head + b64(string(signature))), "wrong signature"}
	}
	flipped := append([]byte(nil), signature...)
	flipped[len(flipped)-1] ^= 1
	random := make([]byte, len(signature))
	_, err = rand.Read(random)
	require.NoError(g.t, err)
	another := strings.Split(g.sign(g.validHeader, payload(g.clerk.URL, "org_id", `"org_2"`)), ".")
	return []attack{
		{"signature stripped", withBearer(head), "segment 3"},
		{"signature of another key", withBearer(sign(g.t, jwa.RS256, g.other, g.validHeader, g.body)), "wrong signature"},
		{"organisation tampered", withBearer(parts[0] + "." + b64(payload(g.clerk.URL, "org_id", `"org_9"`)) + "." + parts[2]), "wrong signature"},
		{"role tampered", withBearer(parts[0] + "." + b64(payload(g.clerk.URL, "org_role", `"org:owner"`)) + "." + parts[2]), "wrong signature"},
		{"claims respelled", withBearer(parts[0] + "." + b64(g.body+" ") + "." + parts[2]), "wrong signature"},
		{"header tampered", withBearer(b64(header("typ", "")) + "." + parts[1] + "." + parts[2]), "wrong signature"},
		{"signature of another token", withBearer(head + another[2]), "wrong signature"},
		replaced("one bit flipped", flipped),
		replaced("signature cut", signature[:len(signature)-1]),
		replaced("signature of one byte", []byte{0}),
		replaced("signature longer", append([]byte{0}, signature...)),
		replaced("signature all zero", make([]byte, len(signature))),
		replaced("signature one", append(make([]byte, len(signature)-1), 1)),
		replaced("signature the modulus", g.key.N.Bytes()),
		replaced("signature random", random),
	}
}

func (g *target) requests() []attack {
	g.t.Helper()
	cookie := "__session=" + g.valid
	require.NoError(g.t, func() error {
		_, err := g.fixture.JWTAuth(g.t.Context(), request("Cookie", cookie))
		return err
	}())
	return []attack{
		{"no credential", request(), "0 cookies named __session"},
		{"empty cookie", request("Cookie", "__session="), "segments"},
		{"cookie without value", request("Cookie", "__session"), "segments"},
		{"two cookies", request("Cookie", cookie+"; __session=x"), "2 cookies named __session"},
		{"two cookies, other order", request("Cookie", "__session=x; "+cookie), "2 cookies named __session"},
		{"two equal cookies", request("Cookie", cookie+";"+cookie), "2 cookies named __session"},
		{"two cookies in two lines", request("Cookie", cookie, "Cookie", cookie), "2 cookies named __session"},
		{"second cookie malformed", request("Cookie", cookie+"; __session=\"\x01"), "2 cookies named __session"},
		{"cookie in quotes", request("Cookie", `__session="`+g.valid+`"`), "segment 1"},
		{"cookie of another name", request("Cookie", "__Session="+g.valid), "0 cookies named __session"},
		{"cookie of a longer name", request("Cookie", "__session_x="+g.valid), "0 cookies named __session"},
		{"bad header, good cookie", request("Authorization", "Bearer x.y.z", "Cookie", cookie), "segment 1"},
		{"forged header, good cookie", request("Authorization", "Bearer "+g.valid+"A", "Cookie", cookie), "wrong signature"},
		{"empty header, good cookie", request("Authorization", "", "Cookie", cookie), "no bearer token"},
		{"bearer of nothing, good cookie", request("Authorization", "Bearer ", "Cookie", cookie), "no bearer token"},
		{"basic header, good cookie", request("Authorization", "Basic dTpw", "Cookie", cookie), "no bearer token"},
		{"API key, good cookie", request("Authorization", "Bearer sk_acme_k1_"+strings.Repeat("A", 32), "Cookie", cookie), "1 segments"},
		{"two headers", request("Authorization", "Bearer "+g.valid, "Authorization", "Bearer "+g.valid), "not exactly one"},
		{"two headers, good cookie", request("Authorization", "x", "Authorization", "y", "Cookie", cookie), "not exactly one"},
		{"token without scheme", request("Authorization", g.valid), "no bearer token"},
		{"another scheme", request("Authorization", "Token "+g.valid), "no bearer token"},
		{"scheme twice", request("Authorization", "Bearer Bearer "+g.valid), "segment 1"},
		{"two tokens in a header", request("Authorization", "Bearer "+g.valid+", Bearer "+g.valid), "segment"},
		{"token in the query only", func() *http.Request { r := request(); r.URL.RawQuery = "access_token=" + g.valid; return r }(), "0 cookies named __session"},
	}
}
