package authn

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/versioner-io/versioner/internal/apperr"
)

const (
	refreshInterval = 10 * time.Minute
	fetchTimeout    = 3 * time.Second  // of one request to an issuer
	keyWaitTimeout  = 2 * time.Second  // a request waits for an unknown key
	unknownCooldown = 30 * time.Second // between two fetches for unknown kids
	emptyCooldown   = time.Second      // between two fetches while there are no keys
	keySetTTL       = 24 * time.Hour   // of the last valid set, when refreshes fail
	maxKeysBytes    = 1 << 20
	maxRedirects    = 3
	discoveryPath   = "/.well-known/openid-configuration"
)

var errUnknownKey = errors.New("the token's key is not one of the issuer's")

// keySet is immutable once it is published.
type keySet struct {
	byID    map[string]crypto.PublicKey
	only    crypto.PublicKey // for tokens without kid: set when there is exactly one key
	fetched time.Time
}

// get returns nil when there is no such key.
func (s *keySet) get(kid string) crypto.PublicKey {
	switch {
	case s == nil:
		return nil
	case kid == "":
		return s.only
	default:
		return s.byID[kid]
	}
}

// keyStore holds the keys of one issuer. Known keys come from an atomic snapshot without waiting, whatever the state of the
// issuer's server.
type keyStore struct {
	issuer Issuer
	static crypto.PublicKey
	client *http.Client
	now    func() time.Time
	logger *slog.Logger

	current   atomic.Pointer[keySet]
	endpoints atomic.Pointer[Endpoints] // of an issuer with a client ID

	mu        sync.Mutex
	inFlight  chan struct{} // closed when the current fetch ends; nil without one
	unknown   time.Time     // last fetch for an unknown kid
	empty     time.Time     // last fetch by a request while there were no keys
	discovery time.Time     // last fetch by a request while there were no endpoints
	failing   bool          // of the current fetch; an outage is logged once
}

func newKeyStore(issuer Issuer, client *http.Client, now func() time.Time, logger *slog.Logger) *keyStore {
	store := &keyStore{issuer: issuer, client: sameHostRedirectsOnly(client), now: now, logger: logger}
	if len(issuer.PublicKeyPEM) > 0 {
		store.static, _ = parsePEM(issuer.PublicKeyPEM, issuer.Algorithm) // Issuer.Check reports errors
	}
	return store
}

// sameHostRedirectsOnly returns a client that follows redirects within one host only: the source of keys is configuration.
func sameHostRedirectsOnly(client *http.Client) *http.Client {
	if client == nil {
		client = http.DefaultClient
	}
	restricted := *client
	restricted.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if first := via[0].URL; r.URL.Host != first.Host || r.URL.Scheme != first.Scheme || len(via) > maxRedirects {
			return fmt.Errorf("redirected to %s", r.URL.Redacted())
		}
		return nil
	}
	return &restricted
}

// find returns the key of that kid, or the only key when kid is empty. The error is Unauthenticated when the issuer has
// no such key, Unavailable when its keys could not be fetched.
func (s *keyStore) find(ctx context.Context, kid string) (crypto.PublicKey, error) {
	if s.static != nil {
		return s.static, nil
	}
	if key := s.snapshot().get(kid); key != nil {
		return key, nil
	}
	return s.waitForKey(ctx, kid)
}

// waitForKey waits for the current fetch, which may have begun before the key existed, and then for another one, unless the last
// one was recent.
func (s *keyStore) waitForKey(ctx context.Context, kid string) (crypto.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, keyWaitTimeout)
	defer cancel()
	for range 2 {
		if fetch := s.startFetch(ctx, kid); fetch != nil {
			select {
			case <-fetch:
			case <-ctx.Done():
			}
		}
		// Also without a fetch: see startFetch.
		if key := s.snapshot().get(kid); key != nil {
			return key, nil
		}
	}
	if s.snapshot() == nil {
		return nil, apperr.Wrap(apperr.Unavailable, "The credentials cannot be verified at the moment",
			fmt.Errorf("no keys of issuer %q", s.issuer.URL))
	}
	return nil, unauthenticated(fmt.Errorf("issuer %q, kid %.200q: %w", s.issuer.URL, kid, errUnknownKey))
}

// snapshot returns the last valid set; nil without one or when it is too old.
func (s *keyStore) snapshot() *keySet {
	set := s.current.Load()
	if set == nil || s.now().Sub(set.fetched) > keySetTTL {
		return nil
	}
	return set
}

// startFetch returns the current fetch, or starts one; nil when the key has arrived since the caller's look-up, or during the
// cooldown. The first fetch does not start the cooldown of unknown kids: a rotation may follow immediately.
func (s *keyStore) startFetch(ctx context.Context, kid string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight != nil {
		return s.inFlight
	}
	set := s.snapshot()
	if set.get(kid) != nil {
		return nil
	}
	last, cooldown := &s.unknown, unknownCooldown
	if set == nil {
		last, cooldown = &s.empty, emptyCooldown
	}
	now := s.now()
	if !last.IsZero() && now.Sub(*last) < cooldown {
		return nil
	}
	*last = now
	return s.fetchLocked(ctx)
}

// refresh waits for the current fetch, or for a new one.
func (s *keyStore) refresh(ctx context.Context) {
	if s.static != nil {
		return
	}
	s.mu.Lock()
	fetch := s.fetchLocked(ctx)
	s.mu.Unlock()
	select {
	case <-fetch:
	case <-ctx.Done():
	}
}

// fetchLocked requires s.mu. The fetch is independent of the request that started it: it continues, within its timeouts, when that
// request ends.
func (s *keyStore) fetchLocked(ctx context.Context) <-chan struct{} {
	if s.inFlight != nil {
		return s.inFlight
	}
	done := make(chan struct{})
	s.inFlight = done
	go func() {
		s.update(context.WithoutCancel(ctx))
		s.mu.Lock()
		s.inFlight = nil
		s.mu.Unlock()
		close(done)
	}()
	return done
}

// update replaces the set by a valid one, or keeps it.
func (s *keyStore) update(ctx context.Context) {
	set, err := s.fetch(ctx)
	if err != nil {
		if !s.failing {
			s.logger.WarnContext(ctx, "jwks refresh failed, serving cached keys", "issuer", s.issuer.URL, "error", err)
		}
		s.failing = true
		return
	}
	s.current.Store(set)
	if s.failing {
		s.logger.InfoContext(ctx, "jwks refresh recovered", "issuer", s.issuer.URL)
	}
	s.failing = false
}

func (s *keyStore) fetch(ctx context.Context) (*keySet, error) {
	began := s.now()
	address := s.issuer.JWKSURL
	if address == "" || s.issuer.ClientID != "" {
		discovered, err := s.discover(ctx)
		switch {
		case address != "" && err != nil: // the keys do not depend on it
			s.logger.WarnContext(ctx, "discovery of the issuer failed", "issuer", s.issuer.URL, "error", err)
		case err != nil:
			return nil, fmt.Errorf("discover the JWKS: %w", err)
		case address == "":
			address = discovered
		}
	}
	body, err := s.get(ctx, address)
	if err != nil {
		return nil, err
	}
	set, err := parseKeySet(body, s.issuer.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("key set of %s: %w", address, err)
	}
	set.fetched = began
	return set, nil
}

// discover reads the discovery document at each fetch: an issuer may move its keys.
func (s *keyStore) discover(ctx context.Context) (string, error) {
	// OpenID Connect Discovery 1.0 §4.1: a slash that ends the issuer is removed first.
	body, err := s.get(ctx, strings.TrimSuffix(s.issuer.URL, "/")+discoveryPath)
	if err != nil {
		return "", err
	}
	var found struct {
		Endpoints

		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return "", fmt.Errorf("not a discovery document: %w", err)
	}
	if found.Issuer != s.issuer.URL {
		return "", fmt.Errorf("discovery document issuer mismatch: %q", found.Issuer)
	}
	if s.issuer.ClientID != "" {
		if err := found.check(); err != nil {
			return "", err
		}
		s.endpoints.Store(&found.Endpoints)
	}
	return found.JWKSURI, checkKeyURL(found.JWKSURI)
}

// get reads a response of bounded size in bounded time.
func (s *keyStore) get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody) //nolint:gosec // the operator configures the issuer
	if err != nil {
		return nil, fmt.Errorf("request keys: %w", err)
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	response, err := s.client.Do(request) //nolint:gosec // the operator configures the issuer
	if err != nil {
		return nil, fmt.Errorf("request keys: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", address, response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeysBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", address, err)
	}
	if len(body) > maxKeysBytes {
		return nil, fmt.Errorf("%s answered more than %d bytes", address, maxKeysBytes)
	}
	return body, nil
}

// parseKeySet returns the keys that may verify signatures of the algorithm, and skips the others (RFC 7517, 5): a set may contain
// keys for encryption, or of unknown types. A set without a usable key is an error.
func parseKeySet(body []byte, algorithm string) (*keySet, error) {
	var list struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("not a JWKS: %w", err)
	}
	set := &keySet{byID: make(map[string]crypto.PublicKey)}
	usable := 0
	var skipped []error
	for _, value := range list.Keys {
		kid, key, err := parseJWK(value, algorithm)
		if err != nil {
			skipped = append(skipped, err)
			continue
		}
		usable++
		set.only = key
		if kid != "" && set.byID[kid] == nil {
			set.byID[kid] = key
		}
	}
	if usable != 1 {
		set.only = nil
	}
	if usable == 0 {
		return nil, fmt.Errorf("no usable key: %w", errors.Join(append(skipped, errors.New("end of the set"))...))
	}
	return set, nil
}

// Run fetches the keys of all issuers and keeps them fresh until ctx ends.
func (j *JWTs) Run(ctx context.Context) {
	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()
	for {
		j.refresh(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// refresh fetches the keys of all issuers concurrently: one that hangs does not delay the others.
func (j *JWTs) refresh(ctx context.Context) {
	var fetches sync.WaitGroup
	for _, issuer := range j.issuers {
		fetches.Go(func() { issuer.keys.refresh(ctx) })
	}
	fetches.Wait()
}

// checkKeySource validates the source of the issuer's keys.
func (i Issuer) checkKeySource() error {
	switch {
	case len(i.PublicKeyPEM) > 0 && i.JWKSURL != "":
		return errors.New("a public key and a JWKS URL exclude each other")
	case len(i.PublicKeyPEM) > 0:
		if !slices.Contains(algorithms(), i.algorithm()) {
			return nil // already reported; no key can match it
		}
		_, err := parsePEM(i.PublicKeyPEM, i.algorithm())
		return err
	case i.JWKSURL != "":
		return checkKeyURL(i.JWKSURL)
	default:
		if err := checkKeyURL(i.URL); err != nil {
			return fmt.Errorf("no public key, no JWKS URL, and the issuer's URL cannot be requested: %w", err)
		}
		return nil
	}
}

// checkKeyURL rejects addresses at which a third party on the network could substitute the keys.
func checkKeyURL(text string) error {
	address, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("not a URL: %w", err)
	case address.Host == "" || address.User != nil || address.Fragment != "":
		return fmt.Errorf("%q is not an absolute URL without user and fragment", address.Redacted())
	case address.Scheme == "https", address.Scheme == "http" && IsLoopback(address.Hostname()):
		return nil
	default:
		return fmt.Errorf("%q is not https; plain http is for loopback hosts", address.Redacted())
	}
}

// IsLoopback reports whether a host, without a port, is this machine.
func IsLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
