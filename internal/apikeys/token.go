package apikeys

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strings"
)

// An API key reads sk_{account}_{key}_{secret}. Neither the key's identifier nor the secret holds an underscore, and the
// account may: it is parsed from the right. A secret that newToken made ends in a checksum of all before it, so that a
// typo is refused without a look-up. Secrets of other lengths come from the former service and have none.
const (
	TokenPrefix    = "sk_" // of every API key
	randomLength   = 43    // characters of base 62: 256 bits
	checksumLength = 6     // characters of base 62: 32 bits
	minSecret      = 32
	maxSecret      = 128
	maxToken       = len(TokenPrefix) + 63 + 1 + 32 + 1 + maxSecret
	base62         = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

var (
	accountPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	keyIDPattern   = regexp.MustCompile(`^[a-z0-9]{2,32}$`)
	secretPattern  = regexp.MustCompile(`^[0-9A-Za-z]+$`)
)

// reservedAccounts would make a key look like another vendor's to secret scanners.
var reservedAccounts = []string{"test", "live", "prod", "org"} //nolint:gochecknoglobals // a constant table

// Token holds the parts of an API key. The account and the key identifier are not verified.
type Token struct{ Account, KeyID, secret string }

var errMalformedToken = errors.New("not an API key")

// ParseToken checks the form of an API key, its checksum included.
func ParseToken(text string) (Token, error) {
	if len(text) > maxToken || !strings.HasPrefix(text, TokenPrefix) {
		return Token{}, errMalformedToken
	}
	head, secret, ok := cutAtLastUnderscore(text[len(TokenPrefix):])
	if !ok {
		return Token{}, errMalformedToken
	}
	account, keyID, ok := cutAtLastUnderscore(head)
	if !ok || !accountPattern.MatchString(account) || !keyIDPattern.MatchString(keyID) {
		return Token{}, errMalformedToken
	}
	if len(secret) < minSecret || len(secret) > maxSecret || !secretPattern.MatchString(secret) {
		return Token{}, errMalformedToken
	}
	if len(secret) == randomLength+checksumLength {
		split := len(text) - checksumLength
		if checksum(text[:split]) != text[split:] {
			return Token{}, errMalformedToken
		}
	}
	return Token{Account: account, KeyID: keyID, secret: secret}, nil
}

func cutAtLastUnderscore(text string) (before, after string, found bool) {
	i := strings.LastIndexByte(text, '_')
	if i < 0 {
		return "", "", false
	}
	return text[:i], text[i+1:], true
}

// newToken returns a new API key.
func newToken(account, keyID string) string {
	body := TokenPrefix + account + "_" + keyID + "_" + randomBase62(randomLength)
	return body + checksum(body)
}

// NewSecret returns a new secret of another kind, with a prefix and a checksum at its end.
func NewSecret(prefix string) string {
	body := prefix + randomBase62(randomLength)
	return body + checksum(body)
}

// IsSecret reports whether a text has the form of a secret that NewSecret made, its checksum included.
func IsSecret(prefix, text string) bool {
	if len(text) != len(prefix)+randomLength+checksumLength || !strings.HasPrefix(text, prefix) || !secretPattern.MatchString(text[len(prefix):]) {
		return false
	}
	split := len(text) - checksumLength
	return checksum(text[:split]) == text[split:]
}

// checksum is the CRC-32 (IEEE) of text in base 62, padded with zeros.
func checksum(text string) string {
	rest := crc32.ChecksumIEEE([]byte(text))
	var digits [checksumLength]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = base62[rest%62]
		rest /= 62
	}
	return string(digits[:])
}

// randomBase62 draws n characters, each equally likely: bytes beyond the last multiple of 62 are thrown away.
func randomBase62(n int) string {
	out := make([]byte, 0, n)
	draw := make([]byte, n)
	for {
		_, _ = rand.Read(draw) // never fails: the program ends when the system has no randomness
		for _, b := range draw {
			if b < 62*4 {
				out = append(out, base62[b%62])
			}
			if len(out) == n {
				return string(out)
			}
		}
	}
}

// displayPrefix is the part of a key that may be shown.
func displayPrefix(account, keyID string) string {
	return TokenPrefix + account + "_" + keyID + "_"
}

// ValidateAccountSlug reports what is wrong with the slug of an account, which is a part of its keys.
func ValidateAccountSlug(slug string) error {
	if !accountPattern.MatchString(slug) {
		return fmt.Errorf("account %q: use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit", slug)
	}
	if slices.Contains(reservedAccounts, slug) {
		return fmt.Errorf("account %q: the names %s are reserved", slug, strings.Join(reservedAccounts, ", "))
	}
	return nil
}
