package config

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/versioner-io/versioner/internal/authn"
)

// issuer is one of VERSIONER_JWT_ISSUERS.
type issuer struct {
	Issuer            string   `json:"issuer"`
	JWKSURL           string   `json:"jwks_url"`
	PublicKey         string   `json:"public_key"`
	Algorithm         string   `json:"algorithm"`
	Audience          []string `json:"audience"`
	AuthorizedParty   []string `json:"authorized_party"`
	RoleClaim         string   `json:"role_claim"`
	OrganizationClaim string   `json:"organization_claim"`
	Name              string   `json:"name"`
	ClientID          string   `json:"client_id"`
	ClientSecret      string   `json:"client_secret"`
	Scopes            []string `json:"scopes"`
}

// issuers returns the provider of the single settings and those of the list.
func (s UserSettings) issuers() ([]authn.Issuer, error) {
	listed, err := parseIssuers(s.JWTIssuers)
	problems := []error{err}
	if s.JWTIssuer != "" {
		listed = append(listed, issuer{
			Issuer: s.JWTIssuer, JWKSURL: s.JWTJWKSURL, PublicKey: s.JWTPublicKey, Algorithm: s.JWTAlgorithm, Audience: s.JWTAudience,
			AuthorizedParty: s.JWTAuthorizedParty, RoleClaim: s.JWTRoleClaim, OrganizationClaim: s.JWTOrganizationClaim,
			ClientID: s.SignInClientID, ClientSecret: s.SignInClientSecret, Scopes: s.SignInScopes,
		})
	} else {
		problems = append(problems, s.withoutIssuer())
	}
	issuers := make([]authn.Issuer, len(listed))
	known := map[string]bool{}
	for i, one := range listed {
		issuers[i] = authn.Issuer{
			URL: one.Issuer, JWKSURL: one.JWKSURL, PublicKeyPEM: []byte(one.PublicKey), Algorithm: one.Algorithm, Audiences: one.Audience,
			AuthorizedParties: one.AuthorizedParty, RoleClaim: one.RoleClaim, OrganizationClaim: one.OrganizationClaim,
			Name: one.Name, ClientID: one.ClientID, ClientSecret: one.ClientSecret, Scopes: one.Scopes,
		}
		problems = append(problems, issuers[i].Check())
		if known[one.Issuer] {
			problems = append(problems, fmt.Errorf("issuer %q is configured twice: keep one entry in VERSIONER_JWT_ISSUER and VERSIONER_JWT_ISSUERS", one.Issuer))
		}
		known[one.Issuer] = true
	}
	return issuers, errors.Join(problems...)
}

// parseIssuers parses VERSIONER_JWT_ISSUERS.
func parseIssuers(text string) (listed []issuer, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &listed, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("VERSIONER_JWT_ISSUERS: %w; use a JSON list of objects such as {\"issuer\":\"https://…\",\"audience\":[\"…\"]}", err)
	}
	if len(listed) == 0 {
		return nil, errors.New("VERSIONER_JWT_ISSUERS lists no issuer: add one, or do not set it")
	}
	return listed, nil
}

// withoutIssuer reports the settings that cannot apply, because they configure the provider of VERSIONER_JWT_ISSUER.
func (s UserSettings) withoutIssuer() error {
	remedy := "set it, or use the members of VERSIONER_JWT_ISSUERS"
	var problems []error
	for _, setting := range []struct {
		name  string
		isSet bool
	}{
		{"JWT_JWKS_URL", s.JWTJWKSURL != ""},
		{"JWT_PUBLIC_KEY", s.JWTPublicKey != ""},
		{"JWT_ALGORITHM", s.JWTAlgorithm != "" && s.JWTAlgorithm != defaultAlgorithm},
		{"AUDIENCE", len(s.JWTAudience) > 0},
		{"AUTHORIZED_PARTY", len(s.JWTAuthorizedParty) > 0},
		{"JWT_ROLE_CLAIM", s.JWTRoleClaim != ""},
		{"JWT_ORGANIZATION_CLAIM", s.JWTOrganizationClaim != ""},
		{"SIGN_IN_CLIENT_ID", s.SignInClientID != ""},
		{"SIGN_IN_CLIENT_SECRET", s.SignInClientSecret != ""},
		{"SIGN_IN_SCOPES", len(s.SignInScopes) > 0},
	} {
		if setting.isSet {
			problems = append(problems, fmt.Errorf("VERSIONER_%s cannot apply, because VERSIONER_JWT_ISSUER is not set: %s", setting.name, remedy))
		}
	}
	return errors.Join(problems...)
}
