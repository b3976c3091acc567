package authn

import (
	"context"
	"errors"
	"fmt"

	"github.com/versioner-io/versioner/internal/apperr"
)

// Endpoints of an identity provider, from its discovery document.
type Endpoints struct {
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	EndSession    string   `json:"end_session_endpoint"` // empty: it has none
	TokenAuth     []string `json:"token_endpoint_auth_methods_supported"`
}

// check validates the URLs as those of keys.
func (e Endpoints) check() error {
	problems := []error{checkKeyURL(e.Authorization), checkKeyURL(e.Token)}
	if e.EndSession != "" {
		problems = append(problems, checkKeyURL(e.EndSession))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("endpoints of the discovery document: %w", err)
	}
	return nil
}

// Endpoints returns the endpoints of an issuer with a client ID. The error is Unavailable when they could not be discovered.
func (j *JWTs) Endpoints(ctx context.Context, issuerURL string) (Endpoints, error) {
	issuer, ok := j.issuers[issuerURL]
	if !ok || issuer.ClientID == "" {
		return Endpoints{}, fmt.Errorf("issuer %.200q has no client ID", issuerURL)
	}
	if found := issuer.keys.waitForEndpoints(ctx); found != nil {
		return *found, nil
	}
	return Endpoints{}, apperr.Wrap(apperr.Unavailable, "The identity provider cannot be reached at the moment",
		fmt.Errorf("issuer %q is not discovered", issuerURL))
}

// waitForEndpoints returns the endpoints, for which it waits for the current fetch or a new one, unless the last one was recent; nil
// when they are unknown.
func (s *keyStore) waitForEndpoints(ctx context.Context) *Endpoints {
	if found := s.endpoints.Load(); found != nil {
		return found
	}
	ctx, cancel := context.WithTimeout(ctx, keyWaitTimeout)
	defer cancel()
	s.mu.Lock()
	fetch := s.inFlight
	if now := s.now(); fetch == nil && (s.discovery.IsZero() || now.Sub(s.discovery) >= emptyCooldown) {
		s.discovery = now
		s.fetchLocked(ctx)
		fetch = s.inFlight
	}
	s.mu.Unlock()
	if fetch != nil {
		select {
		case <-fetch:
		case <-ctx.Done():
		}
	}
	return s.endpoints.Load()
}

// VerifyIDToken verifies an ID token that the token endpoint of an issuer has issued for this server's client ID (OpenID Connect Core
// 1.0, 3.1.3.7). The nonce is that of the sign-in; empty for a refresh, whose ID token need not have one. The errors are those of
// JWTAuth.
func (j *JWTs) VerifyIDToken(ctx context.Context, issuerURL, text, nonce string) (Identity, error) {
	issuer, ok := j.issuers[issuerURL]
	if !ok || issuer.ClientID == "" {
		return Identity{}, unauthenticated(fmt.Errorf("issuer %.200q has no client ID", issuerURL))
	}
	token, err := parseJWT(text)
	if err != nil {
		return Identity{}, unauthenticated(err)
	}
	if err := checkIDToken(token.claims, issuer.Issuer, nonce); err != nil {
		return Identity{}, unauthenticated(fmt.Errorf("id token: %w", err))
	}
	client := *issuer
	client.Audiences, client.AuthorizedParties = []string{issuer.ClientID}, nil
	return j.verifyToken(ctx, &client, token)
}

// checkIDToken checks what is special about ID tokens. The other requirements are those of every token.
func checkIDToken(c claims, issuer Issuer, nonce string) error {
	if url, err := c.requiredString("iss"); err != nil || url != issuer.URL {
		return fmt.Errorf("iss is %.200q", url)
	}
	if found, err := c.optionalString("nonce"); nonce != "" && (err != nil || found != nonce) {
		return errors.New("the nonce is not that of the sign-in")
	}
	party, err := c.optionalString("azp")
	if err != nil || party != "" && party != issuer.ClientID {
		return fmt.Errorf("azp %.200q is not the client ID", party)
	}
	if audiences, isList := c["aud"].([]any); isList && len(audiences) > 1 && party == "" {
		return errors.New("several audiences, and no azp")
	}
	return nil
}
