package apikeys

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const (
	accountExpr = `[a-z0-9][a-z0-9_-]{0,62}`
	keyIDExpr   = `[a-z0-9]{2,32}`
)

// TestTokenRoundTrip makes and reads keys of any account, underscores included. VERSIONER_TEST_ROUND_TRIPS sets how many;
// `make test-long` runs a million.
func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	accounts, keyIDs := rapid.StringMatching(accountExpr), rapid.StringMatching(keyIDExpr)
	positions := rapid.IntRange(0, 1<<30)
	trips := 2000
	if text := os.Getenv("VERSIONER_TEST_ROUND_TRIPS"); text != "" {
		var err error
		trips, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	for i := range trips {
		account, keyID := accounts.Example(i), keyIDs.Example(i)
		text := newToken(account, keyID)
		got, err := ParseToken(text)
		if err != nil || got.Account != account || got.KeyID != keyID {
			require.NoError(t, err, text)
			require.Equal(t, Token{Account: account, KeyID: keyID, secret: got.secret}, got)
		}
		if len(got.secret) != randomLength+checksumLength || !strings.HasPrefix(text, displayPrefix(account, keyID)) {
			require.Fail(t, "not as created", text)
		}
		if at := positions.Example(i) % len(text); !refusesFlip(text, at) {
			require.Fail(t, "a slip of the pen was accepted", "%s at %d", text, at)
		}
	}
}

// refusesFlip changes one character to another of the alphabet. An underscore that is lost may leave a secret of another
// length, which has no checksum: that one the database refuses.
func refusesFlip(text string, at int) bool {
	changed := []byte(text)
	if changed[at] == '_' {
		return true
	}
	changed[at] = base62[(strings.IndexByte(base62, text[at])+1)%62]
	_, err := ParseToken(string(changed))
	return err != nil
}

func TestParseTokenReadsFromTheRight(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("A", minSecret)
	for text, want := range map[string]Token{
		"sk_mycompany_k1_" + secret: {"mycompany", "k1", secret},
		"sk_my_big_company_k1_":     {},
		"sk_a_b_c_k12_" + secret:    {"a_b_c", "k12", secret},
		"sk_a__k1_" + secret:        {"a_", "k1", secret},
		"sk_k1_" + secret:           {},
		"sk__k1_" + secret:          {},
		"sk_a_k_" + secret:          {},
		"sk_A_k1_" + secret:         {},
		"sk_a_K1_" + secret:         {},
		"sk_a_k1_" + secret[1:]:     {},
		"sk_a_k1_" + secret + "-":   {},
		"sk_a_k1_" + secret + " ":   {},
		"sk_a_k1_" + secret + "\n":  {},
		"SK_a_k1_" + secret:         {},
		"a_k1_" + secret:            {},
		"":                          {},
		"sk_":                       {},
		"sk___":                     {},
		"sk_é_k1_" + secret:         {},
		"sk_a_k1_" + strings.Repeat("A", maxSecret):   {"a", "k1", strings.Repeat("A", maxSecret)},
		"sk_a_k1_" + strings.Repeat("A", maxSecret+1): {},
	} {
		got, err := ParseToken(text)
		require.Equal(t, want, got, text)
		require.Equal(t, want == Token{}, err != nil, text)
	}
}

func TestNewSecretsUseTheWholeAlphabet(t *testing.T) {
	t.Parallel()
	counts := map[rune]int{}
	for range 2000 {
		for _, char := range randomBase62(62) {
			counts[char]++
		}
	}
	require.Len(t, counts, 62)
	for char, n := range counts {
		require.InDelta(t, 2000, n, 400, "%c", char) // nine standard deviations
	}
}

func TestValidateAccountSlug(t *testing.T) {
	t.Parallel()
	for _, slug := range []string{"demo", "a", "0", "my_company-2", strings.Repeat("x", 63)} {
		require.NoError(t, ValidateAccountSlug(slug), slug)
	}
	for _, slug := range []string{"", "-a", "_a", "A", "a b", "é", "test", "live", "prod", "org", strings.Repeat("x", 64), "a/b"} {
		require.Error(t, ValidateAccountSlug(slug), slug)
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(newToken("demo", "k1"))
	f.Add("sk_a_b_c_k12_" + strings.Repeat("A", 32))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseToken(text)
		if err == nil && text != TokenPrefix+got.Account+"_"+got.KeyID+"_"+got.secret {
			t.Fatalf("%q was read as %+v", text, got)
		}
	})
}
