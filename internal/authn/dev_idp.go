package authn

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// DevIssuer is the issuer of the tokens that `versionerd token` prints. Its organisations are accounts, by their slugs.
const DevIssuer = "urn:versioner:dev"

const (
	devKeyFile  = "dev-issuer.pem"
	devAudience = "versioner-dev"
	devKeyBits  = 2048
)

// DevSigner signs session tokens for development without an identity provider. Only `versionerd dev` accepts them.
type DevSigner struct{ private *rsa.PrivateKey }

// LoadDevSigner reads the key of a data directory, which it generates on first use.
func LoadDevSigner(dir string) (DevSigner, error) {
	path := filepath.Join(dir, devKeyFile)
	text, err := os.ReadFile(path) //nolint:gosec // the operator's directory
	if errors.Is(err, os.ErrNotExist) {
		text, err = generateDevKey(path)
	}
	if err != nil {
		return DevSigner{}, fmt.Errorf("read the development issuer's key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return DevSigner{}, fmt.Errorf("%s is damaged: remove it to generate a new one", path)
	}
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return DevSigner{}, fmt.Errorf("%s is damaged: remove it to generate a new one: %w", path, err)
	}
	return DevSigner{private: private}, nil
}

// generateDevKey writes a complete file or none; of two concurrent processes the first wins.
func generateDevKey(path string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // PostgreSQL's user must be able to pass
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	private, err := rsa.GenerateKey(rand.Reader, devKeyBits)
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), devKeyFile+".*") // created with mode 0600
	if err != nil {
		return nil, fmt.Errorf("save the key: %w", err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	err = pem.Encode(draft, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return nil, fmt.Errorf("save the key: %w", err)
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("save the key: %w", err)
	}
	stored, err := os.ReadFile(path) //nolint:gosec // the operator's directory
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	return stored, nil
}

// Issuer returns the issuer that a server in development accepts.
func (k DevSigner) Issuer() Issuer {
	public := x509.MarshalPKCS1PublicKey(&k.private.PublicKey)
	return Issuer{
		URL: DevIssuer, Audiences: []string{devAudience}, RoleClaim: "role", OrganizationClaim: "org",
		PublicKeyPEM: pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: public}),
	}
}

// Token returns a signed token (RS256) for a user of that name and role in an account.
func (k DevSigner) Token(account, role, name string, now time.Time, lifetime time.Duration) (string, error) {
	header, err := json.Marshal(map[string]any{"alg": "RS256", "typ": "JWT"})
	if err != nil {
		return "", fmt.Errorf("write a token: %w", err)
	}
	claims, err := json.Marshal(map[string]any{
		"iss": DevIssuer, "aud": devAudience, "sub": name, "name": name, "org": account, "role": role, "sid": "dev",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(lifetime).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("write a token: %w", err)
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.private, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
