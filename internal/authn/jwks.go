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
	keyPatience     = 2 * time.Second  // how long a request waits for keys that are not known
	unknownCooldown = 30 * time.Second // between two fetches that unknown kids cause
	emptyCooldown   = time.Second      // the same, when there are no keys at all
	keysLife        = 24 * time.Hour   // of the last good set, when refreshes fail
	maxKeysBytes    = 1 << 20
	maxRedirects    = 3
	discoveryPath   = "/.well-known/openid-configuration"
)

var errUnknownKey = errors.New("the token's key is not one of the issuer's")

// keySet never changes once it is published.
type keySet struct {
	byID    map[string]crypto.PublicKey
	only    crypto.PublicKey // what a token without kid means: set when there is exactly one key
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

// keyStore holds the keys of one issuer. Whoever asks for a known key gets it from an atomic snapshot and never waits,
// whatever the issuer's server does meanwhile.
type keyStore struct {
	issuer Issuer
	static crypto.PublicKey
	client *http.Client
	now    func() time.Time
	logger *slog.Logger

	current atomic.Pointer[keySet]

	mu      sync.Mutex
	flight  chan struct{} // closed when the fetch that is under way ends; nil: none is
	unknown time.Time     // when an unknown kid last caused a fetch
	empty   time.Time     // when a request last caused one because there were no keys
	failing bool          // of the flight; an outage is logged once
}

func newKeyStore(issuer Issuer, client *http.Client, now func() time.Time, logger *slog.Logger) *keyStore {
	store := &keyStore{issuer: issuer, client: careful(client), now: now, logger: logger}
	if len(issuer.PublicKeyPEM) > 0 {
		store.static, _ = parsePEM(issuer.PublicKeyPEM, issuer.Algorithm) // Issuer.Check tells what is wrong with it
	}
	return store
}

// careful returns a client that follows redirects within one host only: where keys come from is configuration.
func careful(client *http.Client) *http.Client {
	if client == nil {
		client = http.DefaultClient
	}
	own := *client
	own.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if first := via[0].URL; r.URL.Host != first.Host || r.URL.Scheme != first.Scheme || len(via) > maxRedirects {
			return fmt.Errorf("redirected to %s", r.URL.Redacted())
		}
		return nil
	}
	return &own
}

// find returns the key of that kid, or the only key when kid is empty. The error is Unauthenticated when the issuer has
// no such key, Unavailable when its keys could not be had.
func (s *keyStore) find(ctx context.Context, kid string) (crypto.PublicKey, error) {
	if s.static != nil {
		return s.static, nil
	}
	if key := s.snapshot().get(kid); key != nil {
		return key, nil
	}
	return s.await(ctx, kid)
}

// await gives an unknown kid the chance of a fetch: of the one under way, which may have begun too early to see the key,
// and then of one of its own, if none was made lately.
func (s *keyStore) await(ctx context.Context, kid string) (crypto.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	for range 2 {
		if flight := s.demandFetch(ctx, kid); flight != nil {
			select {
			case <-flight:
			case <-ctx.Done():
			}
		}
		// Even with no fetch to wait for: see demandFetch.
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

// snapshot returns the last good set, nil when there is none or it is too old.
func (s *keyStore) snapshot() *keySet {
	set := s.current.Load()
	if set == nil || s.now().Sub(set.fetched) > keysLife {
		return nil
	}
	return set
}

// demandFetch returns the fetch that is under way, or starts one; nil when the last one has brought the key since the caller
// looked, or when a request has caused one lately. The first fetch does not count for the unknown kids: a rotation may
// follow on its heels.
func (s *keyStore) demandFetch(ctx context.Context, kid string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return s.flight
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

// refresh waits for a fetch: the one under way, or its own.
func (s *keyStore) refresh(ctx context.Context) {
	if s.static != nil {
		return
	}
	s.mu.Lock()
	flight := s.fetchLocked(ctx)
	s.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
	}
}

// fetchLocked needs s.mu. The fetch belongs to nobody's request: it goes on, within its timeouts, when the one that
// started it is gone.
func (s *keyStore) fetchLocked(ctx context.Context) <-chan struct{} {
	if s.flight != nil {
		return s.flight
	}
	done := make(chan struct{})
	s.flight = done
	go func() {
		s.update(context.WithoutCancel(ctx))
		s.mu.Lock()
		s.flight = nil
		s.mu.Unlock()
		close(done)
	}()
	return done
}

// update replaces the set by a good one, or leaves it.
func (s *keyStore) update(ctx context.Context) {
	set, err := s.fetch(ctx)
	if err != nil {
		if !s.failing {
			s.logger.WarnContext(ctx, "keys of an issuer not fetched, the last ones are kept", "issuer", s.issuer.URL, "error", err)
		}
		s.failing = true
		return
	}
	s.current.Store(set)
	if s.failing {
		s.logger.InfoContext(ctx, "keys of an issuer are fetched again", "issuer", s.issuer.URL)
	}
	s.failing = false
}

func (s *keyStore) fetch(ctx context.Context) (*keySet, error) {
	began := s.now()
	address := s.issuer.JWKSURL
	if address == "" {
		var err error
		if address, err = s.discover(ctx); err != nil {
			return nil, fmt.Errorf("discover the JWKS: %w", err)
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

// discover asks each time: an issuer may move its keys.
func (s *keyStore) discover(ctx context.Context) (string, error) {
	// OpenID Connect Discovery 1.0 §4.1: a slash that ends the issuer is removed first.
	body, err := s.get(ctx, strings.TrimSuffix(s.issuer.URL, "/")+discoveryPath)
	if err != nil {
		return "", err
	}
	var found struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return "", fmt.Errorf("not a discovery document: %w", err)
	}
	if found.Issuer != s.issuer.URL {
		return "", fmt.Errorf("the document is of issuer %q", found.Issuer)
	}
	return found.JWKSURI, checkKeyURL(found.JWKSURI)
}

// get reads a bounded answer in bounded time.
func (s *keyStore) get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask for keys: %w", err)
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask for keys: %w", err)
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

// parseKeySet takes the keys that may verify signatures of the algorithm, and passes over the others (RFC 7517 §5): a
// set may hold keys for encryption, or of types yet to come. A set with none is no set.
func parseKeySet(body []byte, algorithm string) (*keySet, error) {
	var list struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("not a JWKS: %w", err)
	}
	set := &keySet{byID: make(map[string]crypto.PublicKey)}
	usable := 0
	var passed []error
	for _, value := range list.Keys {
		kid, key, err := parseJWK(value, algorithm)
		if err != nil {
			passed = append(passed, err)
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
		return nil, fmt.Errorf("no usable key: %w", errors.Join(append(passed, errors.New("end of the set"))...))
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

// refresh fetches the keys of all issuers at once, so that one that hangs delays no other.
func (j *JWTs) refresh(ctx context.Context) {
	var fetches sync.WaitGroup
	for _, issuer := range j.issuers {
		fetches.Go(func() { issuer.keys.refresh(ctx) })
	}
	fetches.Wait()
}

// checkKeySource tells what is wrong with where the issuer's keys come from.
func (i Issuer) checkKeySource() error {
	switch {
	case len(i.PublicKeyPEM) > 0 && i.JWKSURL != "":
		return errors.New("a public key and a JWKS URL exclude each other")
	case len(i.PublicKeyPEM) > 0:
		if !slices.Contains(algorithms(), i.algorithm()) {
			return nil // told already; no key fits it
		}
		_, err := parsePEM(i.PublicKeyPEM, i.algorithm())
		return err
	case i.JWKSURL != "":
		return checkKeyURL(i.JWKSURL)
	default:
		if err := checkKeyURL(i.URL); err != nil {
			return fmt.Errorf("no public key, no JWKS URL, and the issuer's URL cannot be asked: %w", err)
		}
		return nil
	}
}

// checkKeyURL refuses addresses from which anybody on the way could hand out keys.
func checkKeyURL(text string) error {
	address, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("not a URL: %w", err)
	case address.Host == "" || address.User != nil || address.Fragment != "":
		return fmt.Errorf("%q is not an absolute URL without user and fragment", address.Redacted())
	case address.Scheme == "https", address.Scheme == "http" && isLoopback(address.Hostname()):
		return nil
	default:
		return fmt.Errorf("%q is not https; plain http is for loopback hosts", address.Redacted())
	}
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
