package notify

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/keyring"
)

func TestConfirmationToken(t *testing.T) {
	t.Parallel()
	keys, err := keyring.New(bytes.Repeat([]byte{1}, keyring.KeySize))
	require.NoError(t, err)
	now := time.Now()
	issued := confirmation{accountID: uuid.New(), address: addressHash("ann@example.com"), expiresAt: now.Add(confirmationLifetime).Truncate(time.Second)}
	token := issued.token(keys)

	parsed, err := parseConfirmation(keys, token, now.Add(confirmationLifetime-time.Minute))
	require.NoError(t, err)
	require.Equal(t, issued, parsed)
	_, err = parseConfirmation(keys, token, now.Add(confirmationLifetime+time.Minute))
	require.ErrorIs(t, err, ErrInvalidToken)

	other, err := keyring.New(bytes.Repeat([]byte{2}, keyring.KeySize))
	require.NoError(t, err)
	_, err = parseConfirmation(other, token, now)
	require.ErrorIs(t, err, ErrInvalidToken)
	rotated, err := keyring.New(bytes.Repeat([]byte{2}, keyring.KeySize), bytes.Repeat([]byte{1}, keyring.KeySize))
	require.NoError(t, err)
	_, err = parseConfirmation(rotated, token, now)
	require.NoError(t, err)
}

func TestAddressHash(t *testing.T) {
	t.Parallel()
	require.Equal(t, sha256.Sum256([]byte("ann@example.com")), addressHash("Ann@Example.com"))
	require.NotEqual(t, addressHash("ann@example.com"), addressHash("bob@example.com"))
}
