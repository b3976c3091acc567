package keyring_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/keyring"
)

func TestKeyring(t *testing.T) {
	t.Parallel()
	older, newer := bytes.Repeat([]byte{1}, keyring.KeySize), bytes.Repeat([]byte{2}, keyring.KeySize)
	ring := func(keys ...[]byte) *keyring.Keyring {
		made, err := keyring.New(keys...)
		require.NoError(t, err)
		return made
	}
	row := []byte("a row")
	encrypted := ring(older).Encrypt([]byte("secret"), row)
	require.NotContains(t, string(encrypted), "secret")
	require.NotEqual(t, encrypted, ring(older).Encrypt([]byte("secret"), row), "a nonce is used once")

	for name, r := range map[string]*keyring.Keyring{"SameKey": ring(older), "NewerKeyBeside": ring(newer, older)} {
		plain, err := r.Decrypt(encrypted, row)
		require.NoError(t, err, name)
		require.Equal(t, "secret", string(plain), name)
	}
	_, err := ring(newer).Decrypt(encrypted, row)
	require.ErrorIs(t, err, keyring.ErrUnknownKeyID)
	_, err = ring(older).Decrypt(encrypted, []byte("another row"))
	require.Error(t, err)
	for i := range encrypted {
		broken := bytes.Clone(encrypted)
		broken[i] ^= 1
		_, err := ring(older).Decrypt(broken, row)
		require.Error(t, err, "byte %d", i)
		_, err = ring(older).Decrypt(encrypted[:i], row)
		require.Error(t, err, "cut after %d", i)
	}
	for _, keys := range [][][]byte{nil, {older[:31]}, {older, nil}} {
		_, err := keyring.New(keys...)
		require.Error(t, err)
	}
}

func TestReencrypt(t *testing.T) {
	t.Parallel()
	older, newer := bytes.Repeat([]byte{1}, keyring.KeySize), bytes.Repeat([]byte{2}, keyring.KeySize)
	former, err := keyring.New(older)
	require.NoError(t, err)
	both, err := keyring.New(newer, older)
	require.NoError(t, err)
	current, err := keyring.New(newer)
	require.NoError(t, err)
	encrypted := former.Encrypt([]byte("secret"), nil)
	require.Equal(t, former.KeyID(), encrypted[:len(former.KeyID())])

	_, err = current.Reencrypt(encrypted, nil)
	require.ErrorIs(t, err, keyring.ErrUnknownKeyID)
	again, err := both.Reencrypt(encrypted, nil)
	require.NoError(t, err)
	require.Equal(t, current.KeyID(), again[:len(current.KeyID())])
	plain, err := current.Decrypt(again, nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))
}
