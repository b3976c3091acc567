package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/keyring"
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
	used    map[string]time.Time // the identifiers of account links, until they expire
}

// NewDevelopment returns the sign-in to an account, with a new link.
func NewDevelopment(account string, now func() time.Time) *Development {
	return &Development{account: account, now: now, token: rand.Text(), expires: now().Add(linkLifetime), used: make(map[string]time.Time)}
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

// accountLink is what the token of a link authorises that a command prints: to sign in once as the admin of an account.
type accountLink struct {
	Account string    `json:"account"`
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
}

// linkPurpose is additional data: a ciphertext of another purpose is no link.
const linkPurpose = "development_link"

// AccountLink returns the path and query of a link that signs in as the admin of an account, once and within 30 minutes, at a development
// server with the same keyring.
func AccountLink(keys *keyring.Keyring, account string, now time.Time) string {
	plain, _ := json.Marshal(accountLink{Account: account, ID: rand.Text(), Expires: now.Add(linkLifetime)}) // strings and a time
	token := base64.RawURLEncoding.EncodeToString(keys.Encrypt(plain, []byte(linkPurpose)))
	return DevelopmentPath + "?" + url.Values{linkToken: {token}}.Encode()
}

// useAccountLink returns the account of a link that was not used before.
func (d *Development) useAccountLink(keys *keyring.Keyring, token string) (account string, ok bool) {
	encrypted, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", false
	}
	plain, err := keys.Decrypt(encrypted, []byte(linkPurpose))
	if err != nil {
		return "", false
	}
	var link accountLink
	now := d.now()
	if json.Unmarshal(plain, &link) != nil || !now.Before(link.Expires) {
		return "", false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.used, func(_ string, expires time.Time) bool { return !now.Before(expires) })
	if _, isUsed := d.used[link.ID]; isUsed {
		return "", false
	}
	d.used[link.ID] = link.Expires
	return link.Account, true
}

// FollowLink signs the browser in that opens a link.
func (f *Flow) FollowLink(ctx context.Context, query url.Values) (Redirect, error) {
	token := query.Get(linkToken)
	account, ok := f.Development.account, f.Development.use(token)
	if !ok {
		account, ok = f.Development.useAccountLink(f.Keys, token)
	}
	if !ok {
		return f.failed(ctx, failureExpired, defaultPage, errLinkUsed), nil
	}
	return f.signInAsAdmin(ctx, account, defaultPage)
}

// SignInDevelopment signs a browser in as the admin of the account of the development server.
func (f *Flow) SignInDevelopment(ctx context.Context, returnTo string) (Redirect, error) {
	return f.signInAsAdmin(ctx, f.Development.account, returnTo)
}

func (f *Flow) signInAsAdmin(ctx context.Context, account, returnTo string) (Redirect, error) {
	name := "dev-" + authz.Admin
	token, err := f.createSession(ctx, BrowserFrom(ctx), authn.Identity{
		Issuer: authn.DevIssuer, OrganizationID: account, Subject: name, Name: name, Roles: []string{authz.Admin}, SessionID: "dev",
	}, "", "")
	if err != nil {
		return Redirect{}, err
	}
	return Redirect{URL: f.pathPrefix() + safeReturnTo(returnTo), Cookies: []*http.Cookie{f.Cookies.Session(token)}}, nil
}

// pathPrefix returns the path of the public address, without a slash at its end: below it, a reverse proxy publishes the server.
func (f *Flow) pathPrefix() string {
	address, err := url.Parse(f.PublicURL)
	if err != nil {
		return ""
	}
	return strings.TrimRight(address.EscapedPath(), "/")
}
