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

const (
	devKeyFile  = "dev-issuer.pem"
	devAudience = "versioner-dev"
	devKeyBits  = 2048
)

// DevKey signs the tokens of development, where there is no identity provider. The server believes them in development
// only.
type DevKey struct{ private *rsa.PrivateKey }

// LoadDevKey reads the key of a data directory; it is made on first use.
func LoadDevKey(dir string) (DevKey, error) {
	path := filepath.Join(dir, devKeyFile)
	text, err := os.ReadFile(path) //nolint:gosec // the operator's own directory
	if errors.Is(err, os.ErrNotExist) {
		text, err = makeDevKey(path)
	}
	if err != nil {
		return DevKey{}, fmt.Errorf("read the development issuer's key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return DevKey{}, fmt.Errorf("%s is damaged: remove it, and a new one is made", path)
	}
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return DevKey{}, fmt.Errorf("%s is damaged: remove it, and a new one is made: %w", path, err)
	}
	return DevKey{private: private}, nil
}

// makeDevKey writes a whole file or none; of two processes at once the first wins.
func makeDevKey(path string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // PostgreSQL's user must be able to pass
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	private, err := rsa.GenerateKey(rand.Reader, devKeyBits)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), devKeyFile+".*") // made with mode 0600
	if err != nil {
		return nil, fmt.Errorf("keep the key: %w", err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	err = pem.Encode(draft, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return nil, fmt.Errorf("keep the key: %w", err)
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("keep the key: %w", err)
	}
	kept, err := os.ReadFile(path) //nolint:gosec // the operator's own directory
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	return kept, nil
}

// Issuer is what a server in development believes.
func (k DevKey) Issuer() Issuer {
	public := x509.MarshalPKCS1PublicKey(&k.private.PublicKey)
	return Issuer{
		URL: DevIssuer, Audiences: []string{devAudience}, RoleClaim: "role", OrganizationClaim: "org",
		PublicKeyPEM: pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: public}),
	}
}

// Token returns a signed token (RS256) for a person of that name and role in an account.
func (k DevKey) Token(account, role, name string, now time.Time, lifetime time.Duration) (string, error) {
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
