package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"
)

const (
	issuerURL       = "https://bench.example"
	authorizedParty = "https://app.bench.example"
	keyBits         = 2048
	tokenLifetime   = 12 * time.Hour
)

// issuer signs session tokens as an identity provider does.
type issuer struct {
	key       *rsa.PrivateKey
	publicKey string // PEM
}

func newIssuer() (*issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	return issuerOf(key)
}

func issuerOf(key *rsa.PrivateKey) (*issuer, error) {
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode the public key: %w", err)
	}
	return &issuer{key: key, publicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}, nil
}

// token returns a session token of an admin of an organisation, with the claims of Clerk, version 1.
func (i *issuer) token(organization string, now time.Time) (string, error) {
	header, err := json.Marshal(map[string]any{"alg": "RS256", "typ": "JWT"})
	if err != nil {
		return "", fmt.Errorf("encode a token: %w", err)
	}
	claims, err := json.Marshal(map[string]any{
		"iss": issuerURL, "sub": "user_bench", "azp": authorizedParty, "sid": "sess_bench",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(tokenLifetime).Unix(),
		"org_id": "org_" + organization, "org_slug": organization, "org_role": "org:admin",
	})
	if err != nil {
		return "", fmt.Errorf("encode a token: %w", err)
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
