package authn

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBearerIgnoresSurroundingWhiteSpace(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"Bearer sk_x", "bearer sk_x", "BEARER sk_x", "Bearer  sk_x", "Bearer\tsk_x", " Bearer sk_x", "Bearer sk_x ", "Bearer sk_x\n", "Bearer sk_x\r\n",
		"Bearer \nsk_x", "Bearer\r\n sk_x", "\t Bearer \t sk_x \t", "Bearer \u00a0sk_x\u00a0",
	} {
		token, err := bearer(http.Header{"Authorization": {value}})
		require.NoError(t, err, "%q", value)
		require.Equal(t, "sk_x", token, "%q", value)
	}
	for _, value := range []string{"", " ", "Bearer", "Bearer ", " Bearer\n", "Bearersk_x", "Basic sk_x", "sk_x", "sk_x Bearer", "Bearer: sk_x"} {
		_, err := bearer(http.Header{"Authorization": {value}})
		require.Error(t, err, "%q", value)
	}
	token, err := bearer(http.Header{"Authorization": {"Bearer a b"}})
	require.NoError(t, err)
	require.Equal(t, "a b", token, "white space inside is not removed")
}
