package notify

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

const (
	// KeySize is the size of a key in bytes: AES-256.
	KeySize = 32

	keyIDSize = 4
)

// KeyRing seals what is secret with its first key, and opens what any of its keys has sealed. What is sealed for one row
// cannot be opened for another.
type KeyRing struct{ keys []sealingKey }

type sealingKey struct {
	id   []byte // tells in the sealed text which key it was; the beginning of the key's digest
	aead cipher.AEAD
}

// NewKeyRing returns a ring of keys of KeySize, the newest first.
func NewKeyRing(keys ...[]byte) (*KeyRing, error) {
	if len(keys) == 0 {
		return nil, errors.New("a key ring needs a key")
	}
	ring := &KeyRing{}
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
		ring.keys = append(ring.keys, sealingKey{id: digest[:keyIDSize], aead: aead})
	}
	return ring, nil
}

// seal returns the key's identifier, a nonce and the ciphertext.
func (r *KeyRing) seal(accountID, id uuid.UUID, plain []byte) []byte {
	key := r.keys[0]
	nonce := make([]byte, key.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	sealed := append(bytes.Clone(key.id), nonce...)
	return key.aead.Seal(sealed, nonce, plain, rowOf(accountID, id))
}

// errUnknownKey says that the ring lacks the key: an operator has to give it back.
var errUnknownKey = errors.New("sealed with a key that is not in VERSIONER_SECRET_KEYS")

func (r *KeyRing) open(accountID, id uuid.UUID, sealed []byte) ([]byte, error) {
	for _, key := range r.keys {
		rest, ours := bytes.CutPrefix(sealed, key.id)
		if !ours || len(rest) < key.aead.NonceSize() {
			continue
		}
		size := key.aead.NonceSize()
		plain, err := key.aead.Open(nil, rest[:size], rest[size:], rowOf(accountID, id))
		if err != nil {
			return nil, fmt.Errorf("open what is sealed for %s: %w", id, err)
		}
		return plain, nil
	}
	return nil, errUnknownKey
}

// rowOf is what a ciphertext is bound to.
func rowOf(accountID, id uuid.UUID) []byte {
	return append(append([]byte("notification_channel"), accountID[:]...), id[:]...)
}
