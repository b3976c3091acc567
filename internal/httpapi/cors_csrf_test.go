package httpapi_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

func TestPagesOfTrustedOriginsMayCall(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	send := func(method, path, origin string) testapi.Answer {
		request := api.Request(t, method, path, nil)
		request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
		if origin != "" {
			request.Header.Set("Origin", origin)
		}
		if method == http.MethodOptions {
			request.Header.Set("Access-Control-Request-Method", http.MethodPatch)
		}
		return api.Do(t, request)
	}

	preflight := send(http.MethodOptions, "/products/01a208e8-398d-77cf-869d-63489d46d0e3", testapi.TrustedOrigin)
	require.Equal(t, http.StatusNoContent, preflight.Status)
	require.Equal(t, testapi.TrustedOrigin, preflight.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", preflight.Header.Get("Access-Control-Allow-Credentials"))
	require.Contains(t, preflight.Header.Get("Access-Control-Allow-Methods"), "PATCH")
	for _, header := range []string{"Authorization", "Content-Type", "If-Match", "Idempotency-Key"} { // those the clients send
		require.Contains(t, preflight.Header.Get("Access-Control-Allow-Headers"), header)
	}
	answer := send(http.MethodGet, "/products/", testapi.TrustedOrigin)
	require.Equal(t, testapi.TrustedOrigin, answer.Header.Get("Access-Control-Allow-Origin"))
	exposed := strings.Split(answer.Header.Get("Access-Control-Expose-Headers"), ", ")
	for _, header := range []string{
		"ETag", "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-ID",
	} {
		require.Contains(t, exposed, header)
	}
	require.Contains(t, answer.Header.Values("Vary"), "Origin")

	for _, origin := range []string{
		"", "null", "*", "http://app.example.com", "https://app.example.com:444", "https://evil.example.com", "https://app.example.com.evil.com",
		"https://evil-app.example.com", "https://app.example.com/", "HTTPS://APP.EXAMPLE.COM", "https://app.example.com, https://evil.com",
	} {
		for _, method := range []string{http.MethodGet, http.MethodOptions} {
			got := send(method, "/products/", origin)
			require.Empty(t, got.Header.Values("Access-Control-Allow-Origin"), "%s from %q", method, origin)
			require.Empty(t, got.Header.Values("Access-Control-Allow-Credentials"), "%s from %q", method, origin)
			require.Contains(t, got.Header.Values("Vary"), "Origin")
		}
	}
	for _, path := range []string{"/deployment-events/", "/deployment-events", "//build-events/", "/version-events/"} {
		for _, method := range []string{http.MethodPost, http.MethodOptions} {
			require.Empty(t, send(method, path, testapi.TrustedOrigin).Header.Values("Access-Control-Allow-Origin"), "%s %s", method, path)
		}
	}
}

func TestOtherSitesCannotUseTheCookie(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	token := api.Token(t, testapi.Account, "admin")
	for name, test := range map[string]struct {
		method  string
		headers map[string]string
		status  int
	}{
		"Reading":               {http.MethodGet, nil, http.StatusOK},
		"ReadingFromElsewhere":  {http.MethodGet, map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusOK}, // whose page cannot read the answer
		"SameOrigin":            {http.MethodPost, map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusUnprocessableEntity},
		"TypedByTheUser":        {http.MethodPost, map[string]string{"Sec-Fetch-Site": "none"}, http.StatusUnprocessableEntity},
		"TrustedOrigin":         {http.MethodPost, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": testapi.TrustedOrigin}, http.StatusUnprocessableEntity},
		"NoBrowser":             {http.MethodPost, nil, http.StatusUnprocessableEntity},
		"OtherSite":             {http.MethodPost, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.com"}, http.StatusForbidden},
		"OtherSiteOldBrowser":   {http.MethodPost, map[string]string{"Origin": "https://evil.com"}, http.StatusForbidden},
		"SameSiteOtherHost":     {http.MethodPost, map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"}, http.StatusForbidden},
		"OpaqueOrigin":          {http.MethodPost, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "null"}, http.StatusForbidden},
		"OtherSiteWithToken":    {http.MethodPost, map[string]string{"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer " + token}, http.StatusUnprocessableEntity},
		"BadHeaderHidesCookie":  {http.MethodGet, map[string]string{"Authorization": "Bearer nonsense"}, http.StatusUnauthorized},
		"EmptyHeaderHidesToken": {http.MethodGet, map[string]string{"Authorization": ""}, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var body []byte
			if test.method == http.MethodPost {
				body = []byte(`{}`)
			}
			request := api.Request(t, test.method, "/products/", body)
			request.AddCookie(&http.Cookie{Name: "__session", Value: token})
			for name, value := range test.headers {
				request.Header.Set(name, value)
			}
			answer := api.Do(t, request)
			require.Equal(t, test.status, answer.Status, "%s", answer.Body)
		})
	}

	t.Run("TwoCookies", func(t *testing.T) {
		t.Parallel()
		request := api.Request(t, http.MethodGet, "/products/", nil)
		request.AddCookie(&http.Cookie{Name: "__session", Value: token})
		request.AddCookie(&http.Cookie{Name: "__session", Value: token})
		require.Equal(t, http.StatusUnauthorized, api.Do(t, request).Status)
	})

	// Parsers differ in which cookies they drop: what authenticates must also be what is protected.
	for name, cookies := range map[string]string{
		"NoBreakSpace":   "\u00a0__session=" + token,
		"TooManyCookies": strings.Repeat("a=b;", 3001) + "__session=" + token,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := api.Request(t, http.MethodPost, "/products/", []byte(`{}`))
			request.Header.Set("Cookie", cookies)
			require.Equal(t, http.StatusUnprocessableEntity, api.Do(t, request).Status, "the cookie authenticates")
			request = api.Request(t, http.MethodPost, "/products/", []byte(`{}`))
			request.Header.Set("Cookie", cookies)
			request.Header.Set("Sec-Fetch-Site", "cross-site")
			require.Equal(t, http.StatusForbidden, api.Do(t, request).Status)
		})
	}

	t.Run("EventsKnowNoCookie", func(t *testing.T) {
		t.Parallel()
		request := api.Request(t, http.MethodPost, deploymentEvents, []byte(`{}`))
		request.AddCookie(&http.Cookie{Name: "__session", Value: api.Key})
		require.Equal(t, http.StatusUnauthorized, api.Do(t, request).Status)
	})
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	for _, call := range [][2]string{{"GET", "/health"}, {"GET", "/nothing"}, {"DELETE", "/health"}, {"GET", "/products/"}, {"POST", deploymentEvents}, {"OPTIONS", "/products/"}, {"GET", "/docs"}} {
		answer := api.Do(t, api.Request(t, call[0], call[1], nil))
		require.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"), call)
		require.Equal(t, "DENY", answer.Header.Get("X-Frame-Options"), call)
		require.Equal(t, "no-referrer", answer.Header.Get("Referrer-Policy"), call)
		require.Equal(t, "no-store", answer.Header.Get("Cache-Control"), call)
		require.Equal(t, "same-origin", answer.Header.Get("Cross-Origin-Resource-Policy"), call)
		require.Empty(t, answer.Header.Get("Strict-Transport-Security"), call)
		if call[1] == "/docs" { // a page has a policy of its own
			require.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'; ")
		} else {
			require.Equal(t, "default-src 'none'; frame-ancestors 'none'", answer.Header.Get("Content-Security-Policy"), call)
		}
	}
}

func TestStrictTransportSecurity(t *testing.T) {
	t.Parallel()
	_, loopback, err := net.ParseCIDR("127.0.0.0/8")
	require.NoError(t, err)
	for name, test := range map[string]struct {
		proxies []*net.IPNet
		proto   string
		want    string
	}{
		"TrustedProxyOverTLS":   {[]*net.IPNet{loopback}, "https", "max-age=31536000"},
		"ProxyInFrontOfAnother": {[]*net.IPNet{loopback}, "HTTPS, http", "max-age=31536000"},
		"TrustedProxyPlain":     {[]*net.IPNet{loopback}, "http", ""},
		"UntrustedPeer":         {nil, "https", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t, testapi.WithProxies(test.proxies...))
			request := api.Request(t, http.MethodGet, "/health", nil)
			request.Header.Set("X-Forwarded-Proto", test.proto)
			require.Equal(t, test.want, api.Do(t, request).Header.Get("Strict-Transport-Security"))
		})
	}
}
