// Package keyring encrypts secrets that are stored in the database. A new key can be put in front of the old ones, and an old
// one removed once everything is re-encrypted.
package keyring

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

const (
	// KeySize is the size of a key in bytes: AES-256.
	KeySize = 32

	keyIDSize = 4
)

// ErrUnknownKeyID reports a ciphertext whose key is not in the keyring: the operator has to add it again.
var ErrUnknownKeyID = errors.New("encrypted with a key that is not in VERSIONER_ENCRYPTION_KEYS")

// Keyring encrypts with its first key and decrypts with the key that a ciphertext names.
type Keyring struct{ keys []encryptionKey }

type encryptionKey struct {
	id   []byte // the beginning of the key's digest, and of each ciphertext
	aead cipher.AEAD
}

// New returns a keyring of keys of KeySize, the newest first.
func New(keys ...[]byte) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("a keyring needs a key")
	}
	ring := &Keyring{}
	for _, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("a key has %d bytes, not %d", len(key), KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("read a key: %w", err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("read a key: %w", err)
		}
		digest := sha256.Sum256(key)
		ring.keys = append(ring.keys, encryptionKey{id: digest[:keyIDSize], aead: aead})
	}
	return ring, nil
}

// KeyID returns the identifier of the key that encrypts: the first bytes of each ciphertext it makes.
func (k *Keyring) KeyID() []byte { return bytes.Clone(k.keys[0].id) }

// HasKey reports whether the key with that identifier is in the keyring.
func (k *Keyring) HasKey(id []byte) bool {
	return slices.ContainsFunc(k.keys, func(key encryptionKey) bool { return bytes.Equal(key.id, id) })
}

// Encrypt returns the key's identifier, a nonce and the ciphertext. Decrypt requires the same additional data, which binds
// the ciphertext to its purpose, such as the row that holds it.
func (k *Keyring) Encrypt(plain, additionalData []byte) []byte {
	key := k.keys[0]
	nonce := make([]byte, key.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return key.aead.Seal(append(bytes.Clone(key.id), nonce...), nonce, plain, additionalData)
}

// Decrypt returns what Encrypt was given, by any key of the keyring.
func (k *Keyring) Decrypt(ciphertext, additionalData []byte) ([]byte, error) {
	for _, key := range k.keys {
		rest, isOwn := bytes.CutPrefix(ciphertext, key.id)
		size := key.aead.NonceSize()
		if !isOwn || len(rest) < size {
			continue
		}
		plain, err := key.aead.Open(nil, rest[:size], rest[size:], additionalData)
		if err != nil {
			return nil, fmt.Errorf("decrypt: %w", err)
		}
		return plain, nil
	}
	return nil, ErrUnknownKeyID
}

// Reencrypt returns the same plaintext encrypted with the first key.
func (k *Keyring) Reencrypt(ciphertext, additionalData []byte) ([]byte, error) {
	plain, err := k.Decrypt(ciphertext, additionalData)
	if err != nil {
		return nil, err
	}
	return k.Encrypt(plain, additionalData), nil
}
