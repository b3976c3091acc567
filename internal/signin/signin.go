// Package signin signs users in with a browser: by OpenID Connect with PKCE at the configured identity providers, and by a link in
// development. It creates sessions, and renews them at the provider.
package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/sessions"
)

const (
	callbackPath    = "/auth/callback"
	loginPath       = "/auth/login"
	signInPage      = "/app/sign-in"
	providerTimeout = 5 * time.Second // of one request to an identity provider
)

// The values of the parameter error of the sign-in page.
const (
	failureUnknownProvider = "unknown_provider"
	failureUnavailable     = "unavailable"
	failureTooMany         = "too_many_requests"
	failureExpired         = "expired"
	failureDenied          = "denied"
	failureForbidden       = "forbidden"
	failureOther           = "failed"
)

// Config holds the dependencies and settings.
type Config struct {
	Issuers   []authn.Issuer // those with a client ID offer a sign-in
	PublicURL string         // without a slash at its end; empty: links are relative, and no issuer has a client ID
	SignInURL string         // of another application that sets the cookie __session; empty: none
	PerMinute int            // attempts of one network that fail; 0 is without a limit

	Tokens      *authn.JWTs
	Tenants     authn.Tenants
	Sessions    *sessions.Sessions
	Cookies     sessions.Cookies
	Keys        *keyring.Keyring
	Client      *http.Client
	Development *Development // nil except in development
	Now         func() time.Time
	Logger      *slog.Logger
}

// Flow signs users in.
type Flow struct {
	Config

	issuers   map[string]authn.Issuer
	client    *http.Client
	attempts  *ratelimit.Local
	refreshes singleflight.Group // by session
}

// New returns the sign-in of a server.
func New(config Config) *Flow {
	client := *config.Client
	client.Timeout = providerTimeout
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	f := &Flow{Config: config, issuers: make(map[string]authn.Issuer), client: &client, attempts: ratelimit.NewLocal()}
	for _, issuer := range config.Issuers {
		if issuer.ClientID != "" {
			f.issuers[issuer.URL] = issuer
		}
	}
	return f
}

// Browser identifies the browser of a request.
type Browser struct {
	LoginCookies []string // values of the cookie of a sign-in that has begun
	UserAgent    string
	RemoteIP     string
	RequestID    string
	IsLoopback   bool // whether the host of the URL is this machine
}

type browserKey struct{}

// WithBrowser returns a context that carries the browser of a request.
func WithBrowser(ctx context.Context, browser Browser) context.Context {
	return context.WithValue(ctx, browserKey{}, browser)
}

// BrowserFrom returns the browser of a request.
func BrowserFrom(ctx context.Context) Browser {
	browser, _ := ctx.Value(browserKey{}).(Browser)
	return browser
}

// Redirect is where the browser goes next, and the cookies that it gets.
type Redirect struct {
	URL     string
	Cookies []*http.Cookie
}

// Provider is a way to sign in.
type Provider struct {
	Type   string // openid_connect, external or development
	Name   string
	Issuer string // of openid_connect
	URL    string
}

// Providers returns the ways to sign in for a browser.
func (f *Flow) Providers(ctx context.Context) []Provider {
	var providers []Provider
	for _, issuer := range f.Issuers {
		if issuer.ClientID != "" {
			providers = append(providers, Provider{
				Type: "openid_connect", Name: nameOf(issuer), Issuer: issuer.URL, URL: f.PublicURL + loginPath + "?issuer=" + url.QueryEscape(issuer.URL),
			})
		}
	}
	if f.SignInURL != "" {
		providers = append(providers, Provider{Type: "external", Name: hostOf(f.SignInURL), URL: f.SignInURL})
	}
	if f.Development != nil && BrowserFrom(ctx).IsLoopback {
		providers = append(providers, Provider{Type: "development", Name: f.Development.name(), URL: f.pathPrefix() + DevelopmentPath})
	}
	return providers
}

func nameOf(issuer authn.Issuer) string {
	if issuer.Name != "" {
		return issuer.Name
	}
	return hostOf(issuer.URL)
}

func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" {
		return address
	}
	return parsed.Host
}

// Start returns the redirect to an identity provider, or to the sign-in page when that is not possible. The issuer may be empty when
// there is only one.
func (f *Flow) Start(ctx context.Context, issuerURL, returnTo string) Redirect {
	page := safeReturnTo(returnTo)
	issuer, ok := f.issuers[issuerURL]
	if issuerURL == "" && len(f.issuers) == 1 {
		for _, issuer = range f.issuers {
			ok = true
		}
	}
	if !ok {
		return f.failed(ctx, failureUnknownProvider, page, fmt.Errorf("issuer %.200q", issuerURL))
	}
	config, err := f.oauth(ctx, issuer)
	if err != nil {
		return f.failed(ctx, failureUnavailable, page, err)
	}
	login := newLogin(issuer.URL, page, f.Now())
	return Redirect{
		URL: config.AuthCodeURL(login.State, oauth2.S256ChallengeOption(login.Verifier), oauth2.SetAuthURLParam("nonce", login.Nonce)),
		Cookies: []*http.Cookie{
			f.Cookies.Login(login.encrypt(f.Keys), loginLifetime),
		},
	}
}

// Callback is what an identity provider has returned to the browser.
type Callback struct{ Code, State, Issuer, Error string }

// Complete creates a session for the user that an identity provider has authenticated, and returns the redirect to a page of the
// dashboard, or to the sign-in page.
func (f *Flow) Complete(ctx context.Context, callback Callback) Redirect {
	browser := BrowserFrom(ctx)
	quota := ratelimit.Quota{Name: "sign-ins", Subject: ratelimit.ClientNetwork(browser.RemoteIP), Limit: f.PerMinute, Window: time.Minute}
	if decision := f.attempts.Take(ctx, quota); !decision.Allowed {
		return f.failed(ctx, failureTooMany, defaultPage, errors.New("too many failed sign-ins of a network"))
	}
	login, err := readLogin(f.Keys, browser.LoginCookies, f.Now())
	if err == nil && !login.hasState(callback.State) {
		err = errors.New("the state is not that of this browser's sign-in")
	}
	if err != nil {
		return f.failed(ctx, failureExpired, defaultPage, err)
	}
	token, failure, err := f.signIn(ctx, browser, login, callback)
	if err != nil {
		redirect := f.failed(ctx, failure, login.ReturnTo, err)
		redirect.Cookies = []*http.Cookie{f.Cookies.EndLogin()}
		return redirect
	}
	f.attempts.Refund(quota)
	return Redirect{URL: f.PublicURL + login.ReturnTo, Cookies: []*http.Cookie{f.Cookies.Session(token), f.Cookies.EndLogin()}}
}

// signIn returns the token of a new session, or why there is none.
func (f *Flow) signIn(ctx context.Context, browser Browser, login login, callback Callback) (token, failure string, err error) {
	issuer, ok := f.issuers[login.Issuer]
	switch {
	case !ok:
		return "", failureUnknownProvider, fmt.Errorf("issuer %q is not configured any more", login.Issuer)
	case callback.Issuer != "" && callback.Issuer != login.Issuer:
		return "", failureOther, fmt.Errorf("the answer is from issuer %.200q", callback.Issuer)
	case callback.Error != "":
		return "", failureDenied, fmt.Errorf("the identity provider answered %.200q", callback.Error)
	case callback.Code == "":
		return "", failureOther, errors.New("no code")
	}
	tokens, err := f.exchange(ctx, issuer, login, callback.Code)
	if err != nil {
		return "", failureOf(err), err
	}
	idToken, _ := tokens.Extra("id_token").(string)
	identity, err := f.Tokens.VerifyIDToken(ctx, issuer.URL, idToken, login.Nonce)
	if err != nil {
		return "", failureOf(err), err
	}
	token, err = f.createSession(ctx, browser, identity, tokens.RefreshToken, idToken)
	return token, failureOf(err), err
}

// createSession creates a session of a verified user.
func (f *Flow) createSession(ctx context.Context, browser Browser, identity authn.Identity, refreshToken, idToken string) (string, error) {
	user, err := f.Tenants.Resolve(ctx, identity)
	if err != nil {
		return "", err
	}
	return f.Sessions.Create(ctx, sessions.NewSession{
		AccountID: user.AccountID, UserID: user.UserID, UserName: user.UserName, Issuer: identity.Issuer, ProviderSID: identity.SessionID,
		RefreshToken: refreshToken, IDToken: idToken, UserAgent: browser.UserAgent, RemoteIP: browser.RemoteIP, RequestID: browser.RequestID,
	})
}

// SignOutURL returns where a browser goes after its session of an issuer has ended: to the provider, which ends its own session and returns
// to the sign-in page (OpenID Connect RP-Initiated Logout 1.0). The ID token is that of the session; without one, the client ID alone
// identifies this server there, and providers may prompt the user. The session of another application is left to that application.
func (f *Flow) SignOutURL(ctx context.Context, issuerURL, idToken string) string {
	issuer, ok := f.issuers[issuerURL]
	switch {
	case !ok && f.SignInURL != "" && issuerURL != authn.DevIssuer:
		return f.SignInURL
	case !ok:
		return f.PublicURL + signInPage
	}
	endpoints, err := f.Tokens.Endpoints(ctx, issuer.URL)
	if err != nil || endpoints.EndSession == "" {
		return f.PublicURL + signInPage
	}
	address, err := url.Parse(endpoints.EndSession)
	if err != nil {
		return f.PublicURL + signInPage
	}
	query := address.Query()
	query.Set("client_id", issuer.ClientID)
	if idToken != "" {
		query.Set("id_token_hint", idToken)
	}
	query.Set("post_logout_redirect_uri", f.PublicURL+signInPage)
	address.RawQuery = query.Encode()
	return address.String()
}

// failed returns the redirect to the sign-in page. The log has the reason, the page only its kind.
func (f *Flow) failed(ctx context.Context, failure, returnTo string, reason error) Redirect {
	f.Logger.InfoContext(ctx, "sign-in failed", "failure", failure, "error", reason)
	query := url.Values{"error": {failure}}
	if returnTo != defaultPage {
		query.Set("return_to", returnTo)
	}
	return Redirect{URL: f.PublicURL + signInPage + "?" + query.Encode()}
}

// failureOf returns the kind of an error for the sign-in page.
func failureOf(err error) string {
	failure, ok := errors.AsType[*apperr.Error](err)
	switch {
	case ok && failure.Code == apperr.Forbidden:
		return failureForbidden
	case ok && failure.Code == apperr.Unavailable:
		return failureUnavailable
	default:
		return failureOther
	}
}

// safeReturnTo returns a page of the dashboard, never an address on another host: the default page for anything that a browser could
// interpret as one.
func safeReturnTo(text string) string {
	isUnsafe := func(r rune) bool { return unicode.IsControl(r) || r == '\\' || r == utf8.RuneError }
	if len(text) > maxReturnTo || !strings.HasPrefix(text, defaultPage) || strings.Contains(text, "//") || strings.ContainsFunc(text, isUnsafe) {
		return defaultPage
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host != "" || !strings.HasPrefix(path.Clean(parsed.Path)+"/", defaultPage) { // browsers resolve %2e%2e, too
		return defaultPage
	}
	return text
}
