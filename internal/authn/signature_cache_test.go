package authn

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSignatureCache(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	other, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signed := []byte("header.claims")
	signature := ed25519.Sign(private, signed)
	var c signatureCache
	for range 2 { // first unknown, then cached
		require.NoError(t, c.verify("EdDSA", signed, signature, public))
		require.Len(t, c.valid, 1)
		require.Error(t, c.verify("EdDSA", []byte("header.other"), signature, public))
		require.Error(t, c.verify("EdDSA", signed[:5], append([]byte(".claims"), signature...), public))
		require.Error(t, c.verify("EdDSA", signed, append([]byte{signature[0] ^ 1}, signature[1:]...), public))
		require.Error(t, c.verify("EdDSA", signed, signature, other))
		require.Error(t, c.verify("RS256", signed, signature, public))
		require.Error(t, c.verify("EdDSA", signed, signature, "no key"))
		require.Len(t, c.valid, 1, "only valid signatures are cached")
	}
	require.NotEqual(t, signatureFingerprint([]byte("ab"), []byte("c")), signatureFingerprint([]byte("a"), []byte("bc")))
}
