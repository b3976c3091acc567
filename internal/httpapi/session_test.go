package httpapi_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/signin"
	"github.com/versioner-io/versioner/internal/testapi"
)

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	cookie := api.SignIn(t, testapi.Account, "developer")
	require.Equal(t, "__Host-versioner_session", cookie.Name)
	current := api.WithCookie(t, cookie, http.MethodGet, "/auth/session", "")
	require.Equal(t, http.StatusOK, current.Status, "%s", current.Body)
	require.Equal(t, "developer", current.Field(t, "role"))
	require.Contains(t, current.Field(t, "permissions"), "keys.view")
	listed := items(t, api.WithCookie(t, cookie, http.MethodGet, "/auth/sessions/", ""))
	require.Len(t, listed, 1)
	require.Equal(t, current.Field(t, "session_id"), listed[0]["id"])
	require.Equal(t, true, listed[0]["is_current"])

	t.Run("HasTheRoleOfItsUser", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, http.StatusOK, api.WithCookie(t, cookie, http.MethodGet, "/products/", "").Status)
		require.Equal(t, http.StatusForbidden, api.WithCookie(t, cookie, http.MethodPost, "/products/", `{"name":"x"}`).Status)
		require.Equal(t, http.StatusForbidden, api.WithCookie(t, cookie, http.MethodPost, deploymentEvents, `{}`).Status, "events take API keys")
	})

	t.Run("OtherSitesCannotUseIt", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{cookie.Name, "versioner_session"} {
			request := api.Request(t, http.MethodPost, "/releases/", []byte(`{"name":"x"}`))
			request.AddCookie(&http.Cookie{Name: name, Value: cookie.Value})
			request.Header.Set("Sec-Fetch-Site", "cross-site")
			require.Equal(t, http.StatusForbidden, api.Do(t, request).Status, name)
		}
	})

	t.Run("InvalidOnesAreRejected", func(t *testing.T) {
		t.Parallel()
		for name, header := range map[string]string{
			"AnotherName":   "versioner_session=" + cookie.Value, // only plain http has it
			"Unknown":       cookie.Name + "=" + strings.Repeat("A", 43),
			"Malformed":     cookie.Name + "=" + cookie.Value + "A",
			"Empty":         cookie.Name + "=",
			"Two":           cookie.Name + "=" + cookie.Value + "; " + cookie.Name + "=" + cookie.Value,
			"AsClerkCookie": "__session=" + cookie.Value,
		} {
			request := api.Request(t, http.MethodGet, "/products/", nil)
			request.Header.Set("Cookie", header)
			require.Equal(t, http.StatusUnauthorized, api.Do(t, request).Status, name)
		}
		request := api.Request(t, http.MethodGet, "/products/", nil)
		request.AddCookie(cookie)
		request.Header.Set("Authorization", "Bearer nonsense")
		require.Equal(t, http.StatusUnauthorized, api.Do(t, request).Status, "a header, even a bad one, takes precedence")
	})
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	status := func(cookie *http.Cookie) int {
		return api.WithCookie(t, cookie, http.MethodGet, "/products/", "").Status
	}
	id := func(cookie *http.Cookie) string {
		return api.WithCookie(t, cookie, http.MethodGet, "/auth/session", "").Field(t, "session_id").(string)
	}

	t.Run("SignOut", func(t *testing.T) {
		t.Parallel()
		cookie, other := api.SignIn(t, testapi.Account, "qa"), api.SignIn(t, testapi.Account, "qa")
		answer := api.WithCookie(t, cookie, http.MethodPost, "/auth/logout", "")
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.Equal(t, testapi.PublicURL+"/app/sign-in", answer.Field(t, "redirect_url"))
		require.Contains(t, answer.Header.Get("Set-Cookie"), "__Host-versioner_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax")
		require.Equal(t, http.StatusUnauthorized, status(cookie))
		require.Equal(t, http.StatusOK, status(other))
	})

	t.Run("One", func(t *testing.T) {
		t.Parallel()
		cookie, stolen := api.SignIn(t, testapi.Account, "sre"), api.SignIn(t, testapi.Account, "sre")
		require.Equal(t, http.StatusNoContent, api.WithCookie(t, cookie, http.MethodDelete, "/auth/sessions/"+id(stolen), "").Status)
		require.Equal(t, http.StatusUnauthorized, status(stolen))
		require.Equal(t, http.StatusOK, status(cookie))
	})

	t.Run("OthersAreNotFound", func(t *testing.T) {
		t.Parallel()
		admin := api.SignIn(t, testapi.Account, "admin")
		for _, other := range []*http.Cookie{api.SignIn(t, testapi.Account, "billing"), api.SignIn(t, "other", "admin")} {
			require.Equal(t, http.StatusNotFound, api.WithCookie(t, admin, http.MethodDelete, "/auth/sessions/"+id(other), "").Status)
			require.Equal(t, http.StatusOK, status(other))
		}
	})

	t.Run("All", func(t *testing.T) {
		t.Parallel()
		cookies := []*http.Cookie{api.SignIn(t, testapi.Account, "product"), api.SignIn(t, testapi.Account, "product")}
		other := api.SignIn(t, testapi.Account, "compliance")
		require.Equal(t, http.StatusNoContent, api.WithCookie(t, cookies[0], http.MethodDelete, "/auth/sessions/", "").Status)
		for _, cookie := range cookies {
			require.Equal(t, http.StatusUnauthorized, status(cookie))
		}
		require.Equal(t, http.StatusOK, status(other))
	})

	t.Run("Expired", func(t *testing.T) {
		t.Parallel()
		idle, old := api.SignInAs(t, testapi.Account, "viewer", "idle"), api.SignInAs(t, testapi.Account, "viewer", "old")
		api.Exec(t, "UPDATE user_sessions SET idle_expires_at = now() WHERE user_id = (SELECT id FROM users WHERE name = 'idle')")
		api.Exec(t, "UPDATE user_sessions SET expires_at = now() WHERE user_id = (SELECT id FROM users WHERE name = 'old')")
		require.Equal(t, http.StatusUnauthorized, status(idle))
		require.Equal(t, http.StatusUnauthorized, status(old))
	})
}

// TestUseOfASessionPostponesItsEnd, but not beyond its absolute end.
func TestUseOfASessionPostponesItsEnd(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	cookie := api.SignIn(t, testapi.Account, "viewer")
	idle := func(before string) (postponed time.Duration) {
		api.Exec(t, "UPDATE user_sessions SET last_used_at = now() - interval '2 minutes', idle_expires_at = now() + interval '1 minute', expires_at = now() + interval '"+before+"'")
		var account uuid.UUID
		api.Scan(t, "SELECT account_id FROM user_sessions", &account)
		api.Keys.Announce(t.Context(), api.Pool.DB, account)
		require.Equal(t, http.StatusOK, api.WithCookie(t, cookie, http.MethodGet, "/products/", "").Status)
		var until time.Time
		api.Scan(t, "SELECT idle_expires_at FROM user_sessions", &until)
		return time.Until(until)
	}
	require.InDelta(t, 12, idle("7 days").Hours(), 0.1)
	require.InDelta(t, 2, idle("2 hours").Hours(), 0.1)
}

// TestRevocationOfSessionsReachesOtherServers within a second, although they cache sessions.
func TestRevocationOfSessionsReachesOtherServers(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	other := testapi.New(t, testapi.WithDatabase(api.DSN))
	cookie := api.SignIn(t, testapi.Account, "admin")
	for range 10 {
		require.Equal(t, http.StatusOK, other.WithCookie(t, cookie, http.MethodGet, "/products/", "").Status)
	}
	require.Equal(t, http.StatusOK, api.WithCookie(t, cookie, http.MethodPost, "/auth/logout", "").Status)
	ended := time.Now()
	require.Equal(t, http.StatusUnauthorized, api.WithCookie(t, cookie, http.MethodGet, "/products/", "").Status, "at once where it ended")
	time.Sleep(time.Until(ended.Add(time.Second)))
	require.Equal(t, http.StatusUnauthorized, other.WithCookie(t, cookie, http.MethodGet, "/products/", "").Status)
}

// TestRolesReachSessions: a role that an admin assigns applies to the user's sessions.
func TestRolesReachSessions(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	cookie := api.SignIn(t, testapi.Account, "viewer")
	require.Equal(t, http.StatusForbidden, api.WithCookie(t, cookie, http.MethodPost, "/products/", `{"name":"x"}`).Status)
	user := api.WithCookie(t, cookie, http.MethodGet, "/auth/session", "").Field(t, "user").(map[string]any)["id"].(string)
	require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, "/users/"+user, `{"role":"admin"}`).Status)
	require.Equal(t, http.StatusCreated, api.WithCookie(t, cookie, http.MethodPost, "/products/", `{"name":"x"}`).Status)
}

// TestTokensOfSessionsAreNotStored, nor written to the log.
func TestTokensOfSessionsAreNotStored(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	cookie := api.SignIn(t, testapi.Account, "admin")
	require.Equal(t, http.StatusOK, api.WithCookie(t, cookie, http.MethodGet, "/auth/sessions/", "").Status)
	require.Equal(t, http.StatusOK, api.WithCookie(t, cookie, http.MethodPost, "/auth/logout", "").Status)
	require.Equal(t, http.StatusUnauthorized, api.WithCookie(t, cookie, http.MethodPost, "/auth/logout", "").Status)
	require.NotContains(t, api.Logs.String(), cookie.Value)
	var stored string
	api.SignIn(t, testapi.Account, "admin")
	api.Scan(t, "SELECT string_agg(to_jsonb(s)::text, '') FROM user_sessions s", &stored)
	require.NotContains(t, stored, cookie.Value)
	var actions []string
	api.Scan(t, "SELECT array_agg(action ORDER BY id) FROM audit_log WHERE object_type = 'session'", &actions)
	require.Equal(t, []string{"session.create", "session.end", "session.create"}, actions)
}

func TestDevelopmentSignIn(t *testing.T) {
	t.Parallel()
	development := signin.NewDevelopment(testapi.Account, time.Now)
	link := development.Link()
	api := testapi.New(t, testapi.WithDevelopment(development))

	followed := api.Get(t, link)
	require.Equal(t, http.StatusSeeOther, followed.Status, "%s", followed.Body)
	require.Equal(t, "/app/", followed.Header.Get("Location"))
	name, _, _ := strings.Cut(followed.Header.Get("Set-Cookie"), "=")
	require.Equal(t, "versioner_session", name, "over plain http")
	request := api.Request(t, http.MethodGet, "/auth/session", nil)
	request.Header.Set("Cookie", strings.SplitN(followed.Header.Get("Set-Cookie"), ";", 2)[0])
	current := api.Do(t, request)
	require.Equal(t, "admin", current.Field(t, "role"))
	require.Equal(t, testapi.Account, current.Field(t, "account").(map[string]any)["slug"])

	again := api.Get(t, link)
	require.Equal(t, "/app/sign-in?error=expired", again.Header.Get("Location"), "the link is valid once")
	require.Empty(t, again.Header.Values("Set-Cookie"))
	require.NotContains(t, api.Logs.String(), strings.Split(link, "=")[1])

	post := func(header, value string) testapi.Answer {
		request := api.Request(t, http.MethodPost, signin.DevelopmentPath+"?return_to=/app/deployments", nil)
		request.Header.Set(header, value)
		if header == "Host" {
			request.Host = value
		}
		return api.Do(t, request)
	}
	posted := post("Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusSeeOther, posted.Status)
	require.Equal(t, "/app/deployments", posted.Header.Get("Location"))
	require.Equal(t, http.StatusForbidden, post("Sec-Fetch-Site", "cross-site").Status)
	require.Equal(t, http.StatusNotFound, post("Host", "rebound.example.com").Status)
	require.Equal(t, http.StatusSeeOther, post("Host", "localhost:8080").Status)
	require.Contains(t, string(api.Get(t, "/auth/providers").Body), `"url":"/auth/dev"`)

	served := testapi.New(t)
	require.Equal(t, http.StatusNotFound, served.Get(t, link).Status, "only in development")
	require.NotContains(t, string(served.Get(t, "/auth/providers").Body), "/auth/dev")
}

func TestDevelopmentLinkExpires(t *testing.T) {
	t.Parallel()
	now := time.Now()
	development := signin.NewDevelopment(testapi.Account, func() time.Time { return now })
	api := testapi.New(t, testapi.WithDevelopment(development))
	now = now.Add(30 * time.Minute)
	require.Equal(t, "/app/sign-in?error=expired", api.Get(t, development.Link()).Header.Get("Location"))
}

// TestDevelopmentLinkOfAnAccount follows links that commands print.
func TestDevelopmentLinkOfAnAccount(t *testing.T) {
	t.Parallel()
	now := time.Now()
	api := testapi.New(t, testapi.WithDevelopment(signin.NewDevelopment(testapi.Account, func() time.Time { return now })))
	link := signin.AccountLink(api.Channels.Keys, "sample", now)
	followed := api.Get(t, link)
	require.Equal(t, "/app/", followed.Header.Get("Location"))
	request := api.Request(t, http.MethodGet, "/auth/session", nil)
	request.Header.Set("Cookie", strings.SplitN(followed.Header.Get("Set-Cookie"), ";", 2)[0])
	current := api.Do(t, request)
	require.Equal(t, "admin", current.Field(t, "role"))
	require.Equal(t, "sample", current.Field(t, "account").(map[string]any)["slug"])
	require.NotContains(t, api.Logs.String(), strings.Split(link, "=")[1])

	foreign, err := keyring.New(bytes.Repeat([]byte("f"), keyring.KeySize))
	require.NoError(t, err)
	expired := signin.AccountLink(api.Channels.Keys, "sample", now.Add(-30*time.Minute))
	for what, rejected := range map[string]string{"used": link, "of another server": signin.AccountLink(foreign, "sample", now), "expired": expired, "no token": signin.DevelopmentPath + "?token=AAAA"} {
		answer := api.Get(t, rejected)
		require.Equal(t, "/app/sign-in?error=expired", answer.Header.Get("Location"), what)
		require.Empty(t, answer.Header.Values("Set-Cookie"), what)
	}
	require.Equal(t, http.StatusNotFound, testapi.New(t).Get(t, signin.AccountLink(api.Channels.Keys, "sample", now)).Status, "only in development")
}

// TestSessionsThatCannotBeVerified: a session is not invalid because the database is away or the client is limited. The other scheme of
// the operation, which finds no credential, must not hide that.
func TestSessionsThatCannotBeVerified(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	cookie := api.SignIn(t, testapi.Account, "viewer")
	api.Pool.Close()
	require.Equal(t, http.StatusServiceUnavailable, api.WithCookie(t, cookie, http.MethodGet, "/products/", "").Status)
}
