package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// Only two low-level functions of jwx are used: parse one key from JSON or PEM, and verify one signature over given bytes. Its
// parsers of tokens never see a request: they take a missing or zero exp for "never", do not enforce crit, and accept other
// serialisations.

const (
	minRSABits = 2048
	maxRSABits = 8192 // the work for one signature grows with the size of the key
)

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
	if only := key.Algorithm().String(); only != "" && only != algorithm {
		return "", nil, fmt.Errorf("key %q is for algorithm %q", key.KeyID(), only)
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
