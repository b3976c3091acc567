package signin_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
	"github.com/versioner-io/versioner/internal/testoidc"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// publicURL is the address of the server for browsers. A test sends their requests to the server itself.
const publicURL = "http://127.0.0.1:1"

// server is a server with a third-party identity provider.
type server struct {
	*testapi.API

	provider testoidc.Provider
	stop     func() // of the provider
}

func newServer(t *testing.T, options ...testapi.Option) server {
	t.Helper()
	provider := testoidc.New(t)
	stop := provider.Start(t, "first", publicURL+"/auth/callback")
	issuer := authn.Issuer{URL: provider.Issuer, Audiences: []string{"https://api.example.com"}, ClientID: "browser", ClientSecret: "secret"}
	return server{API: testapi.New(t, append(options, testapi.WithIssuer(publicURL, issuer))...), provider: provider, stop: stop}
}

// attempt is a sign-in that the provider has completed.
type attempt struct {
	cookie   string     // of the server
	callback url.Values // what the provider has returned
}

// start begins a sign-in, and follows the redirects of the provider. change may change the request to the provider.
func (s server) start(t *testing.T, query string, change func(url.Values)) attempt {
	t.Helper()
	answer := s.Get(t, "/auth/login"+query)
	require.Equal(t, http.StatusFound, answer.Status, "%s", answer.Body)
	location, err := url.Parse(answer.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, s.provider.Issuer, location.Scheme+"://"+location.Host, "%s", location)
	parameters := location.Query()
	require.Equal(t, "S256", parameters.Get("code_challenge_method"))
	if change != nil {
		change(parameters)
	}
	location.RawQuery = parameters.Encode()

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	cookie, _, _ := strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	for range 10 {
		response, err := browser.Get(location.String())
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		location, err = response.Location()
		require.NoError(t, err, "the provider answers %s", response.Status)
		if strings.HasPrefix(location.String(), publicURL) {
			return attempt{cookie: cookie, callback: location.Query()}
		}
	}
	require.Fail(t, "the provider does not return")
	return attempt{}
}

// complete sends what the provider has returned.
func (s server) complete(t *testing.T, attempt attempt) testapi.Answer {
	t.Helper()
	request := s.Request(t, http.MethodGet, "/auth/callback?"+attempt.callback.Encode(), nil)
	request.Header.Set("Cookie", attempt.cookie)
	answer := s.Do(t, request)
	require.Equal(t, http.StatusFound, answer.Status, "%s", answer.Body)
	return answer
}

// signIn returns the session cookie of a complete sign-in.
func (s server) signIn(t *testing.T) *http.Cookie {
	t.Helper()
	answer := s.complete(t, s.start(t, "", nil))
	cookie := sessionOf(answer)
	require.NotNil(t, cookie, "%s", answer.Header.Get("Location"))
	return cookie
}

// signOut returns where the browser goes, which is a page of the provider.
func (s server) signOut(t *testing.T, cookie *http.Cookie) *url.URL {
	t.Helper()
	answer := s.WithCookie(t, cookie, http.MethodPost, "/auth/logout", "")
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	address, err := url.Parse(answer.Field(t, "redirect_url").(string))
	require.NoError(t, err)
	require.Equal(t, s.provider.Issuer+"/session/end", address.Scheme+"://"+address.Host+address.Path)
	require.Equal(t, "browser", address.Query().Get("client_id"))
	require.Equal(t, publicURL+"/app/sign-in", address.Query().Get("post_logout_redirect_uri"))
	return address
}

func sessionOf(answer testapi.Answer) *http.Cookie {
	response := http.Response{Header: answer.Header}
	for _, cookie := range response.Cookies() {
		if cookie.Name == "versioner_session" && cookie.Value != "" {
			return cookie
		}
	}
	return nil
}

func requireFailure(t *testing.T, want string, answer testapi.Answer) {
	t.Helper()
	location, err := url.Parse(answer.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, publicURL+"/app/sign-in", location.Scheme+"://"+location.Host+location.Path)
	require.Equal(t, want, location.Query().Get("error"))
	require.Nil(t, sessionOf(answer))
}

func (s server) role(t *testing.T, cookie *http.Cookie) any {
	t.Helper()
	answer := s.WithCookie(t, cookie, http.MethodGet, "/auth/session", "")
	if answer.Status != http.StatusOK {
		require.Equal(t, http.StatusUnauthorized, answer.Status, "%s", answer.Body)
		return nil
	}
	return answer.Field(t, "role")
}

// makeRefreshDue makes every server refresh a session at its next use.
func (s server) makeRefreshDue(t *testing.T) {
	t.Helper()
	s.Exec(t, "UPDATE user_sessions SET refresh_at = now()")
	var ids []uuid.UUID
	s.Scan(t, "SELECT array_agg(id) FROM user_sessions", &ids)
	s.Keys.Announce(t.Context(), s.Pool.DB, ids...)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	started := s.start(t, "?return_to=/app/deployments%3Fstatus%3Dfailed", nil)
	answer := s.complete(t, started)
	require.Equal(t, publicURL+"/app/deployments?status=failed", answer.Header.Get("Location"))
	cookie := sessionOf(answer)
	require.NotNil(t, cookie)
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)

	current := s.WithCookie(t, cookie, http.MethodGet, "/auth/session", "")
	require.Equal(t, "admin", current.Field(t, "role"))
	require.Regexp(t, "^acme-", current.Field(t, "account").(map[string]any)["slug"], "an account of its own, as the name is in use")
	require.Equal(t, "Ada Lovelace", current.Field(t, "user").(map[string]any)["name"])

	t.Run("TheCallbackWorksOnce", func(t *testing.T) {
		requireFailure(t, "failed", s.complete(t, started))
		require.Equal(t, "admin", s.role(t, cookie), "the session of the first one stays")
	})

	t.Run("SigningOutLeadsToTheProvider", func(t *testing.T) {
		address := s.signOut(t, cookie)
		require.Nil(t, s.role(t, cookie))
		require.NotEmpty(t, address.Query().Get("id_token_hint"))
		response, err := http.Get(address.String())
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, "the provider accepts the hint and the address to return to")
	})

	t.Run("SigningOutWithoutIDTokenNamesTheClient", func(t *testing.T) {
		other := s.signIn(t)
		s.Exec(t, "UPDATE user_sessions SET encrypted_id_token = NULL")
		require.NotContains(t, s.signOut(t, other).Query(), "id_token_hint")
	})

	t.Run("NothingSecretIsLoggedOrStored", func(t *testing.T) {
		var stored string
		s.signIn(t)
		s.Scan(t, "SELECT encode(string_agg(encrypted_refresh_token, ''), 'escape') FROM user_sessions", &stored)
		require.NotEmpty(t, stored)
		_, login, _ := strings.Cut(started.cookie, "=")
		for _, secret := range []string{cookie.Value, login, started.callback.Get("code"), started.callback.Get("state")} {
			require.NotContains(t, s.Logs.String(), secret)
		}
	})
}

// TestForgedCallbacks changes what the browser sends, and the request to the provider.
func TestForgedCallbacks(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, test := range map[string]struct {
		want   string
		login  func(url.Values) // changes the request to the provider
		change func(*attempt)
	}{
		"NonceOfAnother":      {"failed", func(query url.Values) { query.Set("nonce", "other") }, nil},
		"ChallengeOfAnother":  {"failed", func(query url.Values) { query.Set("code_challenge", strings.Repeat("A", 43)) }, nil},
		"State":               {"expired", nil, func(a *attempt) { a.callback.Set("state", "other") }},
		"NoState":             {"expired", nil, func(a *attempt) { a.callback.Del("state") }},
		"BrowserOfAnother":    {"expired", nil, func(a *attempt) { a.cookie = s.start(t, "", nil).cookie }},
		"NoCookie":            {"expired", nil, func(a *attempt) { a.cookie = "other=1" }},
		"TwoCookies":          {"expired", nil, func(a *attempt) { a.cookie += "; " + a.cookie }},
		"CookieOfOtherPrefix": {"expired", nil, func(a *attempt) { a.cookie = "__Host-" + a.cookie }},
		"ChangedCookie":       {"expired", nil, func(a *attempt) { a.cookie = a.cookie[:len(a.cookie)-8] + "AAAAAAAA" }},
		"NotACookie":          {"expired", nil, func(a *attempt) { a.cookie = "versioner_login=%%%" }},
		"Issuer":              {"failed", nil, func(a *attempt) { a.callback.Set("iss", "https://evil.example.com") }},
		"Code":                {"failed", nil, func(a *attempt) { a.callback.Set("code", "other") }},
		"NoCode":              {"failed", nil, func(a *attempt) { a.callback.Del("code") }},
		"Error":               {"denied", nil, func(a *attempt) { a.callback.Set("error", "access_denied") }},
	} {
		t.Run(name, func(t *testing.T) {
			attempt := s.start(t, "", test.login)
			if test.change != nil {
				test.change(&attempt)
			}
			requireFailure(t, test.want, s.complete(t, attempt))
		})
	}
	require.Zero(t, s.Count(t, "user_sessions"))
}

// TestReturnTo leads to a page of the dashboard, whatever the request contains.
func TestReturnTo(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	requireFailure(t, "unknown_provider", s.Get(t, "/auth/login?issuer=https://evil.example.com"))
	for _, unsafe := range []string{
		"https://evil.example.com", "//evil.example.com", "/\\evil.example.com", "/app//evil.example.com", "/app/\\evil", "/app/\t/x", "/app/\u0085x",
		"/app/../docs", "/app/%2e%2e/docs", "/app/..%2fdocs", "/application", "/app", "javascript:alert(1)", "app/x", "/app/" + strings.Repeat("x", 1600), "/app/\u2028\xff",
	} {
		started := s.start(t, "?return_to="+url.QueryEscape(strings.ToValidUTF8(unsafe, "\ufffd")), nil)
		require.Equal(t, publicURL+"/app/", s.complete(t, started).Header.Get("Location"), unsafe)
	}

	s.provider.Set(t, url.Values{"decline": {"1"}})
	requireFailure(t, "denied", s.complete(t, s.start(t, "", nil)))
}

func TestOrganizationsWithoutAccountAreRejected(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.provider.Set(t, url.Values{"org_id": {""}})
	requireFailure(t, "failed", s.complete(t, s.start(t, "", nil)))
	require.Contains(t, s.Logs.String(), "org_id", "the log has the reason")
}

func TestRefresh(t *testing.T) {
	t.Parallel()

	t.Run("TakesOverTheRole", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		cookie := s.signIn(t)
		s.provider.Set(t, url.Values{"org_role": {"org:viewer"}})
		require.Equal(t, "admin", s.role(t, cookie), "not before the refresh is due")
		for range 2 { // the second one uses the rotated refresh token
			s.makeRefreshDue(t)
			require.Equal(t, "viewer", s.role(t, cookie))
		}
		var idTokens int
		s.Scan(t, "SELECT count(*) FROM user_sessions WHERE octet_length(encrypted_id_token) > 100", &idTokens)
		require.Equal(t, 1, idTokens)
		require.Equal(t, http.StatusForbidden, s.WithCookie(t, cookie, http.MethodPost, "/products/", `{"name":"x"}`).Status)
	})

	t.Run("EndsTheSessionThatTheProviderRefuses", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		cookie := s.signIn(t)
		s.provider.Set(t, url.Values{"refuse": {"1"}})
		require.Equal(t, "admin", s.role(t, cookie))
		s.makeRefreshDue(t)
		require.Nil(t, s.role(t, cookie))
		require.Zero(t, s.Count(t, "user_sessions"))
		require.Equal(t, 1, s.Count(t, "audit_log WHERE action = 'session.end' AND actor_name = 'identity provider'"))
	})

	t.Run("EndsTheSessionWhoseKeyWasRemoved", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		cookie := s.signIn(t)
		s.Exec(t, `UPDATE user_sessions SET encrypted_refresh_token = '\x00000000'::bytea || substring(encrypted_refresh_token FROM 5)`)
		require.Equal(t, "admin", s.role(t, cookie), "not before the refresh is due")
		s.makeRefreshDue(t)
		require.Nil(t, s.role(t, cookie))
		require.Contains(t, s.Logs.String(), "not in VERSIONER_ENCRYPTION_KEYS")
	})

	t.Run("EndsTheSessionOfAnotherOrganization", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		cookie := s.signIn(t)
		s.provider.Set(t, url.Values{"org_id": {"organisation-2"}})
		s.makeRefreshDue(t)
		require.Nil(t, s.role(t, cookie))
	})

	t.Run("WaitsForAProviderThatIsAway", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		cookie := s.signIn(t)
		s.stop()
		s.makeRefreshDue(t)
		require.Equal(t, "admin", s.role(t, cookie), "the session lives to its expiry")
		s.Exec(t, "UPDATE user_sessions SET idle_expires_at = now()")
		s.makeRefreshDue(t)
		require.Nil(t, s.role(t, cookie))
	})

	t.Run("IsSentOnce", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		other := testapi.New(t, testapi.WithDatabase(s.DSN), testapi.WithIssuer(publicURL, authn.Issuer{
			URL: s.provider.Issuer, Audiences: []string{"https://api.example.com"}, ClientID: "browser", ClientSecret: "secret",
		}))
		cookie := s.signIn(t)
		s.makeRefreshDue(t)
		statuses := make(chan int)
		for i := range 20 {
			go func() {
				request := s.Request(t, http.MethodGet, "/auth/session", nil)
				if i%2 == 0 {
					request = other.Request(t, http.MethodGet, "/auth/session", nil)
				}
				request.AddCookie(cookie)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					statuses <- 0
					return
				}
				_ = response.Body.Close()
				statuses <- response.StatusCode
			}()
		}
		for range 20 {
			require.Equal(t, http.StatusOK, <-statuses) // a refresh token that is used twice would end the session
		}
	})
}

// TestSignOutEverywhere ends the sessions of all browsers of a user.
func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one, other := s.signIn(t), s.signIn(t)
	require.Equal(t, http.StatusNoContent, s.WithCookie(t, one, http.MethodDelete, "/auth/sessions", "").Status)
	require.Nil(t, s.role(t, one))
	require.Nil(t, s.role(t, other))
}

func TestFailedSignInsAreLimited(t *testing.T) {
	t.Parallel()
	s := newServer(t, testapi.WithLimits(httpapi.Limits{Limiter: ratelimit.NewLocal(), FailuresPerMinute: 3}))
	for range 5 { // successful ones are not counted
		s.signIn(t)
	}
	forged := attempt{cookie: "versioner_login=x", callback: url.Values{"code": {"x"}}}
	var failures []string
	for range 4 {
		location, err := url.Parse(s.complete(t, forged).Header.Get("Location"))
		require.NoError(t, err)
		failures = append(failures, location.Query().Get("error"))
	}
	require.Equal(t, []string{"expired", "expired", "expired", "too_many_requests"}, failures)
}

func TestProviderIsAway(t *testing.T) {
	t.Parallel()
	provider := testoidc.New(t)
	api := testapi.New(t, testapi.WithIssuer(publicURL, authn.Issuer{URL: provider.Issuer, Audiences: []string{"x"}, ClientID: "browser"}))
	requireFailure(t, "unavailable", api.Get(t, "/auth/login"))
	provider.Start(t, "first", publicURL+"/auth/callback")
	require.Eventually(t, func() bool {
		return strings.HasPrefix(api.Get(t, "/auth/login").Header.Get("Location"), provider.Issuer)
	}, 20*time.Second, 100*time.Millisecond, "it is discovered once it is back")
}
