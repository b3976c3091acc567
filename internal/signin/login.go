package signin

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"github.com/versioner-io/versioner/internal/keyring"
)

const (
	defaultPage   = "/app/"
	maxReturnTo   = 1500 // bytes: browsers drop cookies of more than 4096
	loginLifetime = 10 * time.Minute
	loginPurpose  = "sign-in"
)

// login is a sign-in that a browser has begun. It is stored in a cookie of that browser, encrypted.
type login struct {
	Issuer   string    `json:"issuer"`
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	ReturnTo string    `json:"return_to"`
	Expires  time.Time `json:"expires"`
}

func newLogin(issuer, returnTo string, now time.Time) login {
	return login{
		Issuer: issuer, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), ReturnTo: returnTo, Expires: now.Add(loginLifetime),
	}
}

// encrypt returns the value of the cookie.
func (l login) encrypt(keys *keyring.Keyring) string {
	plain, _ := json.Marshal(l) // strings and a time
	return base64.RawURLEncoding.EncodeToString(keys.Encrypt(plain, []byte(loginPurpose)))
}

// readLogin decrypts the one cookie of a sign-in.
func readLogin(keys *keyring.Keyring, cookies []string, now time.Time) (l login, err error) {
	if len(cookies) != 1 {
		return l, fmt.Errorf("%d cookies of a sign-in", len(cookies))
	}
	encrypted, err := base64.RawURLEncoding.DecodeString(cookies[0])
	if err != nil {
		return l, fmt.Errorf("decode the cookie of the sign-in: %w", err)
	}
	plain, err := keys.Decrypt(encrypted, []byte(loginPurpose))
	if err != nil {
		return l, fmt.Errorf("the cookie of the sign-in: %w", err)
	}
	if err := json.Unmarshal(plain, &l); err != nil {
		return l, fmt.Errorf("the cookie of the sign-in: %w", err)
	}
	if !now.Before(l.Expires) {
		return l, errors.New("the sign-in was begun too long ago")
	}
	return l, nil
}

func (l login) hasState(state string) bool {
	return subtle.ConstantTimeCompare([]byte(l.State), []byte(state)) == 1
}
