package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
)

// DevelopmentPath is the path of the sign-in without an identity provider, which exists in development only.
const DevelopmentPath = "/auth/dev"

const (
	linkLifetime = 30 * time.Minute
	linkToken    = "token"
)

var errLinkUsed = errors.New("the link is wrong, used or expired")

// Development signs in the admin of an account without any credential but a link, or none at all on this machine.
type Development struct {
	account string
	now     func() time.Time

	mu      sync.Mutex
	token   string // empty: used
	expires time.Time
}

// NewDevelopment returns the sign-in to an account, with a new link.
func NewDevelopment(account string, now func() time.Time) *Development {
	return &Development{account: account, now: now, token: rand.Text(), expires: now().Add(linkLifetime)}
}

// Link returns the path and query of the link, which is valid once and for 30 minutes.
func (d *Development) Link() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return DevelopmentPath + "?" + url.Values{linkToken: {d.token}}.Encode()
}

func (d *Development) name() string { return authz.Admin + " of " + d.account }

// use reports whether the token is that of the link, which then is not valid any more.
func (d *Development) use(token string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.token == "" || !d.now().Before(d.expires) || subtle.ConstantTimeCompare([]byte(d.token), []byte(token)) != 1 {
		return false
	}
	d.token = ""
	return true
}

// FollowLink signs the browser in that opens the link.
func (f *Flow) FollowLink(ctx context.Context, query url.Values) (Redirect, error) {
	if !f.Development.use(query.Get(linkToken)) {
		return f.failed(ctx, failureExpired, defaultPage, errLinkUsed), nil
	}
	return f.SignInDevelopment(ctx, defaultPage)
}

// SignInDevelopment signs a browser in as the admin of the account.
func (f *Flow) SignInDevelopment(ctx context.Context, returnTo string) (Redirect, error) {
	name := "dev-" + authz.Admin
	token, err := f.createSession(ctx, BrowserFrom(ctx), authn.Identity{
		Issuer: authn.DevIssuer, OrganizationID: f.Development.account, Subject: name, Name: name, Roles: []string{authz.Admin}, SessionID: "dev",
	}, "", "")
	if err != nil {
		return Redirect{}, err
	}
	return Redirect{URL: safeReturnTo(returnTo), Cookies: []*http.Cookie{f.Cookies.Session(token)}}, nil
}
