package sessions

import (
	"net/http"
	"time"
)

// hostPrefix makes browsers accept a cookie only over https, from this host itself and for all of its paths, so that neither a
// subdomain nor a plain connection can replace it.
const hostPrefix = "__Host-"

const (
	sessionCookie = "versioner_session"
	loginCookie   = "versioner_login"
)

// CookieNames returns the names of a session cookie, over https and over plain http.
func CookieNames() []string { return []string{hostPrefix + sessionCookie, sessionCookie} }

// Cookies makes the cookies of a server. Secure ones have the prefix __Host-, which browsers do not accept over plain http.
type Cookies struct{ Secure bool }

// SessionName returns the name of the session cookie.
func (c Cookies) SessionName() string { return c.prefix() + sessionCookie }

// LoginName returns the name of the cookie of a sign-in that has begun.
func (c Cookies) LoginName() string { return c.prefix() + loginCookie }

// Session returns the cookie that holds the token of a session.
func (c Cookies) Session(token string) *http.Cookie {
	return c.cookie(c.SessionName(), token, Lifetime)
}

// Login returns the cookie of a sign-in that has begun.
func (c Cookies) Login(value string, lifetime time.Duration) *http.Cookie {
	return c.cookie(c.LoginName(), value, lifetime)
}

// EndSession returns the cookie that removes the session cookie.
func (c Cookies) EndSession() *http.Cookie { return c.cookie(c.SessionName(), "", -time.Second) }

// EndLogin returns the cookie that removes the one of a sign-in.
func (c Cookies) EndLogin() *http.Cookie { return c.cookie(c.LoginName(), "", -time.Second) }

func (c Cookies) prefix() string {
	if c.Secure {
		return hostPrefix
	}
	return ""
}

// cookie is sent with navigations from other sites, such as the redirect of an identity provider, but with no other of their requests.
func (c Cookies) cookie(name, value string, lifetime time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure except over plain http, which config allows on loopback hosts only
		Name: name, Value: value, Path: "/", MaxAge: int(lifetime.Seconds()), HttpOnly: true, Secure: c.Secure, SameSite: http.SameSiteLaxMode,
	}
}
