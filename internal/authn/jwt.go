package authn

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	sessionCookie    = "__session"
	maxJWT           = 8 << 10 // bytes
	defaultAlgorithm = "RS256"
	clerkVersion2    = 2
	clerkRolePrefix  = "org:" // of roles in claims of Clerk's version 1
)

// Issuer is an identity provider whose tokens are accepted.
type Issuer struct {
	URL               string   // iss, compared exactly
	JWKSURL           string   // empty: discovered from URL + "/.well-known/openid-configuration"
	PublicKeyPEM      []byte   // instead of a JWKS: the one key, whatever kid a token names
	Algorithm         string   // RS256 when empty; pinned, never taken from the token
	Audiences         []string // the token's aud must hold one of them, when set
	AuthorizedParties []string // the token's azp must be one of them, when set
	RoleClaim         string   // dotted path to a string or a list of strings; empty: Clerk's, o.rol or org_role
	OrganizationClaim string   // dotted path; empty: Clerk's, o.id or org_id

	// Signing in with a browser. Without a client ID the issuer's tokens are accepted, and the server offers no sign-in.
	Name         string   // to show; empty: the host of URL
	ClientID     string   // of this server at the issuer, which is then discovered
	ClientSecret string   // empty: a public client
	Scopes       []string // empty: openid profile email offline_access
}

// Identity holds the claims of a valid token.
type Identity struct {
	Issuer           string
	OrganizationID   string // with Issuer, names the tenant
	OrganizationSlug string // for display: its owner may change it
	Subject          string
	Name             string
	Email            string
	Roles            []string
	SessionID        string
}

// Tenants resolves an identity to the principal of an account.
type Tenants interface {
	Resolve(ctx context.Context, identity Identity) (Principal, error)
}

// JWTs validates the scheme JWTAuth.
type JWTs struct {
	issuers map[string]*issuerVerifier
	tenants Tenants
	now     func() time.Time
	verify  func(algorithm string, signed, signature []byte, key crypto.PublicKey) error // tests count its calls
}

type issuerVerifier struct {
	Issuer

	keys *keyStore
}

// NewJWTs returns a validator of tokens of the issuers. Without Run beside it, keys are fetched when first needed and
// never refreshed while tokens name the known ones.
func NewJWTs(issuers []Issuer, tenants Tenants, client *http.Client, now func() time.Time, logger *slog.Logger) (*JWTs, error) {
	j := &JWTs{issuers: make(map[string]*issuerVerifier, len(issuers)), tenants: tenants, now: now, verify: new(signatureCache).verify}
	var problems []error
	for _, issuer := range issuers {
		problems = append(problems, issuer.Check())
		if j.issuers[issuer.URL] != nil {
			problems = append(problems, fmt.Errorf("issuer %q is configured twice", issuer.URL))
		}
		issuer.Algorithm = issuer.algorithm()
		j.issuers[issuer.URL] = &issuerVerifier{Issuer: issuer, keys: newKeyStore(issuer, client, now, logger)}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return j, nil
}

// Check returns every problem of the configuration of an issuer.
func (i Issuer) Check() error {
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("issuer %q: "+format, append([]any{i.URL}, args...)...))
	}
	if i.URL == "" {
		problem("the URL is empty")
	}
	if len(i.Audiences) == 0 && len(i.AuthorizedParties) == 0 {
		problem("neither audiences nor authorized parties: tokens for any other application would be accepted")
	}
	if slices.Contains(i.Audiences, "") || slices.Contains(i.AuthorizedParties, "") {
		problem("an audience or authorized party is empty")
	}
	if !slices.Contains(algorithms(), i.algorithm()) {
		problem("algorithm %q is none of %v", i.Algorithm, algorithms())
	}
	if i.ClientID != "" && len(i.PublicKeyPEM) > 0 {
		problem("a client ID needs an issuer that can be discovered, and a public key excludes that")
	}
	if i.ClientID == "" && (i.ClientSecret != "" || len(i.Scopes) > 0) {
		problem("a client secret or scopes without a client ID")
	}
	if err := i.checkKeySource(); err != nil {
		problem("%w", err)
	}
	return errors.Join(problems...)
}

func (i Issuer) algorithm() string {
	if i.Algorithm == "" {
		return defaultAlgorithm
	}
	return i.Algorithm
}

func algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"}
}

// JWTAuth verifies the request's token. The error is Unauthenticated for any token that is not valid, whatever the
// reason, and Unavailable when the keys cannot be fetched; errors of Tenants are returned unchanged.
func (j *JWTs) JWTAuth(ctx context.Context, r *http.Request) (context.Context, error) {
	text, err := sessionToken(r.Header)
	if err != nil {
		return ctx, err
	}
	token, err := parseJWT(text)
	if err != nil {
		return ctx, unauthenticated(err)
	}
	identity, err := j.identify(ctx, token)
	if err != nil {
		return ctx, err
	}
	principal, err := j.tenants.Resolve(ctx, identity)
	if err != nil {
		return ctx, err
	}
	return WithPrincipal(ctx, principal), nil
}

// identify checks the claims before it looks for a key: forged tokens that are also expired cost nothing. It returns no claim before
// the signature is verified.
func (j *JWTs) identify(ctx context.Context, token compactJWT) (Identity, error) {
	issuer, err := j.issuer(token)
	if err != nil {
		return Identity{}, unauthenticated(err)
	}
	return j.verifyToken(ctx, issuer, token)
}

// verifyToken checks the claims by the requirements of the issuer, then the signature by its keys.
func (j *JWTs) verifyToken(ctx context.Context, issuer *issuerVerifier, token compactJWT) (Identity, error) {
	identity, err := issuer.check(token, j.now())
	if err != nil {
		return Identity{}, unauthenticated(err)
	}
	key, err := issuer.keys.find(ctx, token.keyID)
	if err != nil {
		return Identity{}, err
	}
	if err := j.verify(issuer.Algorithm, token.signed, token.signature, key); err != nil {
		return Identity{}, unauthenticated(fmt.Errorf("issuer %q, kid %.200q: %w", issuer.URL, token.keyID, err))
	}
	return identity, nil
}

func (j *JWTs) issuer(token compactJWT) (*issuerVerifier, error) {
	url, err := token.claims.requiredString("iss")
	if err != nil {
		return nil, err
	}
	issuer, ok := j.issuers[url]
	if !ok {
		return nil, fmt.Errorf("issuer %.200q is not configured", url)
	}
	return issuer, nil
}

// sessionToken returns the token of the Authorization header, else of the one session cookie. A header, even a bad one,
// means that the cookie is ignored: what a browser adds by itself must not stand in for what a client wrote.
func sessionToken(header http.Header) (string, error) {
	if _, ok := header["Authorization"]; ok {
		return bearer(header)
	}
	return onlyCookie(header, sessionCookie)
}

// compactJWT is a well-formed token. Its content is not verified.
type compactJWT struct {
	algorithm string
	keyID     string // empty: the token names none
	claims    claims
	signed    []byte // the signed part
	signature []byte
}

func parseJWT(text string) (compactJWT, error) {
	if len(text) > maxJWT {
		return compactJWT{}, fmt.Errorf("the token has %d bytes, more than %d", len(text), maxJWT)
	}
	segments := strings.Split(text, ".")
	if len(segments) != 3 {
		return compactJWT{}, fmt.Errorf("the token has %d segments, not 3", len(segments))
	}
	var raw [3][]byte
	for i, segment := range segments {
		var err error
		if raw[i], err = decodeSegment(segment); err != nil {
			return compactJWT{}, fmt.Errorf("segment %d of the token: %w", i+1, err)
		}
	}
	token := compactJWT{signed: []byte(segments[0] + "." + segments[1]), signature: raw[2]}
	if err := token.readHeader(raw[0]); err != nil {
		return compactJWT{}, fmt.Errorf("header of the token: %w", err)
	}
	var err error
	if token.claims, err = parseObject(raw[1]); err != nil {
		return compactJWT{}, fmt.Errorf("payload of the token: %w", err)
	}
	return token, nil
}

// decodeSegment accepts exactly one spelling of the bytes. Go's decoder skips line breaks, even when strict.
func decodeSegment(segment string) ([]byte, error) {
	if segment == "" || strings.ContainsAny(segment, "\r\n") {
		return nil, errors.New("empty, or with a line break")
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return nil, fmt.Errorf("not base64url: %w", err)
	}
	return decoded, nil
}

// readHeader rejects parameters that name a key elsewhere or change the interpretation of the token. Other unknown parameters are
// ignored.
func (t *compactJWT) readHeader(data []byte) error {
	header, err := parseObject(data)
	if err != nil {
		return err
	}
	for _, name := range []string{"crit", "jku", "x5u", "jwk", "x5c", "b64", "zip", "enc", "cty"} {
		if _, ok := header[name]; ok {
			return fmt.Errorf("%q is not allowed", name)
		}
	}
	if _, ok := header["typ"]; ok {
		kind, err := header.requiredString("typ")
		if err != nil {
			return err
		}
		// RFC 7515, 4.1.9: the prefix "application/" may be omitted. RFC 9068, 2.1: the type of access tokens.
		kind = strings.TrimPrefix(strings.ToLower(kind), "application/")
		if kind != "jwt" && kind != "at+jwt" {
			return fmt.Errorf("typ is %.200q", kind)
		}
	}
	if _, ok := header["kid"]; ok {
		if t.keyID, err = header.requiredString("kid"); err != nil {
			return err
		}
	}
	t.algorithm, err = header.requiredString("alg")
	return err
}

// check returns the identity of a token that meets all requirements of its issuer.
func (i *issuerVerifier) check(token compactJWT, now time.Time) (Identity, error) {
	if token.algorithm != i.Algorithm {
		return Identity{}, fmt.Errorf("algorithm %.200q instead of %s", token.algorithm, i.Algorithm)
	}
	if err := token.claims.checkTimes(now); err != nil {
		return Identity{}, err
	}
	if len(i.Audiences) > 0 && !token.claims.hasAudience(i.Audiences) {
		return Identity{}, fmt.Errorf("aud holds none of %q", i.Audiences)
	}
	if len(i.AuthorizedParties) > 0 {
		if party, err := token.claims.requiredString("azp"); err != nil || !slices.Contains(i.AuthorizedParties, party) {
			return Identity{}, fmt.Errorf("azp %.200q is none of %q", party, i.AuthorizedParties)
		}
	}
	return i.identity(token.claims)
}

// identity reads the claims of Clerk's version 2 or 1, or those that the configuration names.
func (i *issuerVerifier) identity(c claims) (Identity, error) {
	organization, slug, role, prefix := "org_id", "org_slug", "org_role", clerkRolePrefix
	if c["v"] == float64(clerkVersion2) {
		organization, slug, role, prefix = "o.id", "o.slg", "o.rol", ""
	}
	if i.OrganizationClaim != "" {
		organization = i.OrganizationClaim
	}
	if i.RoleClaim != "" {
		role, prefix = i.RoleClaim, ""
	}
	identity := Identity{Issuer: i.URL}
	problems := []error{c.checkSession()}
	if i.OrganizationClaim == "" {
		problems = append(problems, c.checkOrganization())
	}
	read := func(read func(string) (string, error), field *string, path string) {
		var err error
		*field, err = read(path)
		problems = append(problems, err)
	}
	read(c.requiredString, &identity.Subject, "sub")
	read(c.requiredString, &identity.OrganizationID, organization)
	read(c.optionalString, &identity.OrganizationSlug, slug)
	read(c.optionalString, &identity.Name, "name")
	read(c.optionalString, &identity.Email, "email")
	read(c.optionalString, &identity.SessionID, "sid")
	roles, err := c.stringList(role)
	if err := errors.Join(append(problems, err)...); err != nil {
		return Identity{}, err
	}
	for _, role := range roles {
		identity.Roles = append(identity.Roles, strings.TrimPrefix(role, prefix))
	}
	return identity, nil
}
