package authn

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// Only two low-level functions of jwx are used: parse one key from JSON or PEM, and verify one signature over given bytes. Its
// parsers of tokens never see a request: they take a missing or zero exp for "never", do not enforce crit, and accept other
// serialisations.

const (
	sessionCookie   = "__session"
	maxJWT          = 8 << 10 // bytes
	clockSkew       = 5 * time.Second
	maxNumericDate  = 1 << 33 // seconds, in the year 2242: what is later was meant as milliseconds, or as never
	minRSABits      = 2048
	maxRSABits      = 8192 // the work for one signature grows with the size of the key
	clerkVersion2   = 2
	clerkRolePrefix = "org:" // of roles in claims of Clerk's version 1
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
	j := &JWTs{issuers: make(map[string]*issuerVerifier, len(issuers)), tenants: tenants, now: now, verify: verifySignature}
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
	if err := i.checkKeySource(); err != nil {
		problem("%w", err)
	}
	return errors.Join(problems...)
}

func (i Issuer) algorithm() string {
	if i.Algorithm == "" {
		return jwa.RS256.String()
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
	found := sessionCookies(header)
	if len(found) != 1 {
		return "", unauthenticated(fmt.Errorf("no Authorization header, and %d session cookies", len(found)))
	}
	return found[0], nil
}

// UsesSessionCookie reports whether a request with these headers is authenticated by its session cookie.
func UsesSessionCookie(header http.Header) bool {
	_, hasAuthorization := header["Authorization"]
	return !hasAuthorization && len(sessionCookies(header)) > 0
}

// sessionCookies returns the value of each session cookie. It does not use http.Request.Cookies, which silently drops malformed
// cookies and all of a request that has too many.
func sessionCookies(header http.Header) (values []string) {
	for _, line := range header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); name == sessionCookie {
				values = append(values, value)
			}
		}
	}
	return values
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

// checkSession rejects sessions that are not the user's own and active: a pending session (Clerk's sts) has tasks that the user
// must complete first, and an act claim (RFC 8693, 4.1) means that another party acts as the user.
func (c claims) checkSession() error {
	if status, ok := c["sts"]; ok && status != "active" {
		return fmt.Errorf("sts is %.200q, not active", fmt.Sprint(status))
	}
	if _, ok := c["act"]; ok {
		return errors.New("act is not allowed: the token was issued to another party that acts as the user")
	}
	return nil
}

// checkOrganization rejects a token whose claims of Clerk's versions 1 and 2 name two organisations.
func (c claims) checkOrganization() error {
	one, oneErr := c.optionalString("org_id")
	other, otherErr := c.optionalString("o.id")
	if err := errors.Join(oneErr, otherErr); err != nil {
		return err
	}
	if one != "" && other != "" && one != other {
		return errors.New("org_id and o.id differ")
	}
	return nil
}

// claims is a JSON object in which no name occurs twice.
type claims map[string]any

func parseObject(data []byte) (claims, error) {
	if jsontext.Value(data).Kind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("not strict JSON: %w", err)
	}
	return object, nil
}

// lookup follows a dotted path. The name of a claim may contain dots (Auth0's are URLs), so a whole name precedes a path.
func (c claims) lookup(path string) any {
	if value, ok := c[path]; ok {
		return value
	}
	name, rest, ok := strings.Cut(path, ".")
	inner, isObject := c[name].(map[string]any)
	if !ok || !isObject {
		return nil
	}
	return claims(inner).lookup(rest)
}

// optionalString returns a string; an absent or null one is empty.
func (c claims) optionalString(path string) (string, error) {
	value := c.lookup(path)
	if value == nil {
		return "", nil
	}
	text, ok := value.(string)
	if !ok || strings.ContainsRune(text, 0) { // PostgreSQL cannot store a NUL
		return "", fmt.Errorf("claim %q is not a string", path)
	}
	return text, nil
}

// requiredString returns a string that must not be absent or empty.
func (c claims) requiredString(path string) (string, error) {
	text, err := c.optionalString(path)
	if err == nil && text == "" {
		return "", fmt.Errorf("claim %q is missing or empty", path)
	}
	return text, err
}

// stringList returns the strings of a list, or one string as a list of it.
func (c claims) stringList(path string) ([]string, error) {
	list, isList := c.lookup(path).([]any)
	if !isList {
		text, err := c.optionalString(path)
		if err != nil || text == "" {
			return nil, err
		}
		return []string{text}, nil
	}
	texts := make([]string, 0, len(list))
	for _, entry := range list {
		text, ok := entry.(string)
		if !ok || strings.ContainsRune(text, 0) {
			return nil, fmt.Errorf("claim %q is not a list of strings", path)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// checkTimes requires an expiry.
func (c claims) checkTimes(now time.Time) error {
	unix := float64(now.UnixMilli()) / 1e3
	expires, ok := c["exp"].(float64)
	switch {
	case !ok || expires > maxNumericDate:
		return errors.New("exp is not a number up to 2^33")
	case expires <= unix-clockSkew.Seconds():
		return fmt.Errorf("the token expired at %.0f", expires)
	}
	for _, name := range []string{"nbf", "iat"} {
		value, ok := c[name]
		if !ok {
			continue
		}
		if date, ok := value.(float64); !ok || date > unix+clockSkew.Seconds() {
			return fmt.Errorf("%s is not a number, or not reached yet", name)
		}
	}
	return nil
}

// hasAudience reports whether aud, a string or a list of strings, contains one of the audiences.
func (c claims) hasAudience(audiences []string) bool {
	list, isList := c["aud"].([]any)
	if !isList {
		list = []any{c["aud"]}
	}
	found := false
	for _, entry := range list {
		text, ok := entry.(string)
		if !ok {
			return false
		}
		found = found || slices.Contains(audiences, text)
	}
	return found
}

func verifySignature(algorithm string, signed, signature []byte, key crypto.PublicKey) error {
	verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(algorithm))
	if err != nil {
		return fmt.Errorf("no verifier: %w", err)
	}
	if err := verifier.Verify(signed, signature, key); err != nil {
		return fmt.Errorf("wrong signature: %w", err)
	}
	return nil
}

// parseJWK returns the key and its kid when it may verify signatures of the algorithm.
func parseJWK(data []byte, algorithm string) (kid string, public crypto.PublicKey, err error) {
	key, err := jwk.ParseKey(data)
	if err != nil {
		return "", nil, fmt.Errorf("not a JWK: %w", err)
	}
	if use := key.KeyUsage(); use != "" && use != string(jwk.ForSignature) {
		return "", nil, fmt.Errorf("key %q is for use %q", key.KeyID(), use)
	}
	if operations := key.KeyOps(); len(operations) > 0 && !slices.Contains(operations, jwk.KeyOpVerify) {
		return "", nil, fmt.Errorf("key %q is for operations %v", key.KeyID(), operations)
	}
	if own := key.Algorithm().String(); own != "" && own != algorithm {
		return "", nil, fmt.Errorf("key %q is for algorithm %q", key.KeyID(), own)
	}
	public, err = publicKey(key, algorithm)
	return key.KeyID(), public, err
}

func parsePEM(data []byte, algorithm string) (crypto.PublicKey, error) {
	key, err := jwk.ParseKey(data, jwk.WithPEM(true))
	if err != nil {
		return nil, fmt.Errorf("not a PEM public key: %w", err)
	}
	return publicKey(key, algorithm)
}

// publicKey takes no private or symmetric key, and only the type that the algorithm is for.
func publicKey(key jwk.Key, algorithm string) (crypto.PublicKey, error) {
	var raw any
	if err := key.Raw(&raw); err != nil {
		return nil, fmt.Errorf("key %q: %w", key.KeyID(), err)
	}
	fits := false
	switch public := raw.(type) {
	case *rsa.PublicKey:
		bits := public.N.BitLen()
		fits = (strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")) &&
			bits >= minRSABits && bits <= maxRSABits && public.E >= 3 && public.E%2 == 1
	case *ecdsa.PublicKey:
		_, err := public.ECDH() // an error for a point that is not on the curve
		fits = err == nil && (algorithm == "ES256" && public.Curve == elliptic.P256() ||
			algorithm == "ES384" && public.Curve == elliptic.P384())
	case ed25519.PublicKey:
		fits = algorithm == "EdDSA" && len(public) == ed25519.PublicKeySize
	}
	if !fits {
		return nil, fmt.Errorf("key %q of type %T is not a public key for %s, or too weak", key.KeyID(), raw, algorithm)
	}
	return raw, nil
}
