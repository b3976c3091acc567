package config

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Files of secrets in the data directory.
const (
	pepperFile        = "key-pepper"
	encryptionKeyFile = "encryption-key"
)

// LoadPeppers returns the configured peppers or, otherwise, those in the data directory, generated on first use.
func (c Config) LoadPeppers() ([][]byte, error) {
	if c.KeyPeppers != nil {
		return c.KeyPeppers, nil
	}
	secret, err := fileSecret{
		path:   filepath.Join(c.DataDir, pepperFile),
		encode: hex.EncodeToString,
		validate: func(kept string) error {
			_, err := parsePeppers(strings.Split(kept, ","))
			return err
		},
		lossConsequence: "API keys cannot be verified without it",
	}.load()
	if err != nil {
		return nil, err
	}
	return parsePeppers(strings.Split(secret, ","))
}

// LoadEncryptionKeys returns the configured keys or, otherwise, those in the data directory, generated on first use.
func (c Config) LoadEncryptionKeys() ([][]byte, error) {
	if c.EncryptionKeys != nil {
		return c.EncryptionKeys, nil
	}
	secret, err := fileSecret{
		path:   filepath.Join(c.DataDir, encryptionKeyFile),
		encode: base64.StdEncoding.EncodeToString,
		validate: func(kept string) error {
			_, err := parseEncryptionKeys(strings.Split(kept, ","))
			return err
		},
		lossConsequence: "notification channels cannot be read without it",
	}.load()
	if err != nil {
		return nil, err
	}
	return parseEncryptionKeys(strings.Split(secret, ","))
}

// fileSecret is a file of the data directory with 32 random bytes, or with a list that the operator has written.
type fileSecret struct {
	path            string
	encode          func([]byte) string
	validate        func(string) error
	lossConsequence string
}

func (s fileSecret) load() (string, error) {
	switch kept, err := s.read(); {
	case err == nil:
		return kept, nil
	case !errors.Is(err, os.ErrNotExist):
		return "", err
	}
	return s.generate()
}

func (s fileSecret) read() (string, error) {
	kept, err := os.ReadFile(s.path)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	secret := strings.TrimSpace(string(kept))
	if s.validate(secret) != nil {
		return "", fmt.Errorf("%s is damaged: restore it from a backup, %s", s.path, s.lossConsequence)
	}
	return secret, nil
}

// generate writes the whole file or nothing, and keeps a file that another process created concurrently.
func (s fileSecret) generate() (string, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)                                                      // never fails
	draft, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("save a secret: %w", err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	_, err = draft.WriteString(s.encode(secret) + "\n")
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return "", fmt.Errorf("save a secret: %w", err)
	}
	if err := os.Link(draft.Name(), s.path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("save a secret: %w", err)
	}
	return s.read()
}
