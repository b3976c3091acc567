package authn

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"
)

// signatureCache remembers valid signatures. Whether a signature is valid depends on nothing but the algorithm, the key, the signed
// bytes and the signature, all of which are in the fingerprint; whether the key is trusted and the token has expired is
// verified for every request. Verification is most of the cost of a request that is rejected under overload.
type signatureCache struct {
	mu    sync.RWMutex
	valid map[fingerprint]struct{}
}

func (c *signatureCache) verify(algorithm string, signed, signature []byte, key crypto.PublicKey) error {
	encodedKey, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return verifySignature(algorithm, signed, signature, key)
	}
	sum := signatureFingerprint([]byte(algorithm), encodedKey, signed, signature)
	c.mu.RLock()
	_, ok := c.valid[sum]
	c.mu.RUnlock()
	if ok {
		return nil
	}
	if err := verifySignature(algorithm, signed, signature, key); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.valid) >= maxCached || c.valid == nil {
		c.valid = make(map[fingerprint]struct{})
	}
	c.valid[sum] = struct{}{}
	return nil
}

// signatureFingerprint hashes each part with its length, so that no two lists of parts have the same input.
func signatureFingerprint(parts ...[]byte) fingerprint {
	hash := sha256.New()
	for _, part := range parts {
		_, _ = hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		_, _ = hash.Write(part)
	}
	return fingerprint(hash.Sum(nil))
}
