package notify

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestKeyRing(t *testing.T) {
	t.Parallel()
	older, newer := bytes.Repeat([]byte{1}, KeySize), bytes.Repeat([]byte{2}, KeySize)
	ring := func(keys ...[]byte) *KeyRing {
		made, err := NewKeyRing(keys...)
		require.NoError(t, err)
		return made
	}
	account, id := uuid.New(), uuid.New()
	sealed := ring(older).seal(account, id, []byte("secret"))
	require.NotContains(t, string(sealed), "secret")
	require.NotEqual(t, sealed, ring(older).seal(account, id, []byte("secret")), "never the same twice")

	for name, r := range map[string]*KeyRing{"SameKey": ring(older), "NewerKeyBeside": ring(newer, older)} {
		plain, err := r.open(account, id, sealed)
		require.NoError(t, err, name)
		require.Equal(t, "secret", string(plain), name)
	}
	_, err := ring(newer).open(account, id, sealed)
	require.ErrorIs(t, err, errUnknownKey)
	for name, row := range map[string][2]uuid.UUID{"AnotherRow": {account, uuid.New()}, "AnotherTenant": {uuid.New(), id}} {
		_, err := ring(older).open(row[0], row[1], sealed)
		require.Error(t, err, name)
	}
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		_, err := ring(older).open(account, id, broken)
		require.Error(t, err, "byte %d", i)
		_, err = ring(older).open(account, id, sealed[:i])
		require.Error(t, err, "cut after %d", i)
	}
	for _, keys := range [][][]byte{nil, {older[:31]}, {older, nil}} {
		_, err := NewKeyRing(keys...)
		require.Error(t, err)
	}
}
