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
	secret, err := c.pepperFile().load()
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
	secret, err := c.encryptionKeyFile().load()
	if err != nil {
		return nil, err
	}
	return parseEncryptionKeys(strings.Split(secret, ","))
}

func (c Config) pepperFile() fileSecret {
	return fileSecret{
		path:   filepath.Join(c.DataDir, pepperFile),
		encode: hex.EncodeToString,
		validate: func(kept string) error {
			_, err := parsePeppers(strings.Split(kept, ","))
			return err
		},
		lossConsequence: "API keys cannot be verified without it",
	}
}

func (c Config) encryptionKeyFile() fileSecret {
	return fileSecret{
		path:   filepath.Join(c.DataDir, encryptionKeyFile),
		encode: base64.StdEncoding.EncodeToString,
		validate: func(kept string) error {
			_, err := parseEncryptionKeys(strings.Split(kept, ","))
			return err
		},
		lossConsequence: "notification channels cannot be read without it",
	}
}

// Secrets are the secrets of a database, as their settings and files have them. An empty one is not known.
type Secrets struct{ KeyPepper, EncryptionKeys string }

// Peppers returns the peppers; none when they are not known.
func (s Secrets) Peppers() ([][]byte, error) {
	if s.KeyPepper == "" {
		return nil, nil
	}
	return parsePeppers(strings.Split(s.KeyPepper, ","))
}

// FindSecrets returns the configured secrets or, otherwise, those in the data directory. It generates none.
func (c Config) FindSecrets() (Secrets, error) {
	var found Secrets
	for _, secret := range []struct {
		value  *string
		set    [][]byte
		encode func([]byte) string
		file   fileSecret
	}{
		{&found.KeyPepper, c.KeyPeppers, func(pepper []byte) string { return string(pepper) }, c.pepperFile()},
		{&found.EncryptionKeys, c.EncryptionKeys, base64.StdEncoding.EncodeToString, c.encryptionKeyFile()},
	} {
		if secret.set != nil {
			var texts []string
			for _, one := range secret.set {
				texts = append(texts, secret.encode(one))
			}
			*secret.value = strings.Join(texts, ",")
			continue
		}
		if c.DatabaseURL != "" {
			continue
		}
		kept, err := secret.file.read()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return Secrets{}, err
		}
		*secret.value = kept
	}
	return found, nil
}

// SaveSecrets writes the secrets of a backup into the data directory, where no others may be.
func (c Config) SaveSecrets(secrets Secrets) error {
	for text, file := range map[string]fileSecret{secrets.KeyPepper: c.pepperFile(), secrets.EncryptionKeys: c.encryptionKeyFile()} {
		if text == "" {
			continue
		}
		if err := file.validate(text); err != nil {
			return err
		}
		switch kept, err := file.save(text); {
		case err != nil:
			return err
		case kept != text:
			return fmt.Errorf("%s has another secret than the backup: move it away, or restore into another directory", file.path)
		}
	}
	return nil
}

// IsSecretFile reports whether a file of the data directory has a secret.
func IsSecretFile(name string) bool { return name == pepperFile || name == encryptionKeyFile }

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

func (s fileSecret) generate() (string, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return s.save(s.encode(secret))
}

// save writes the whole file or nothing, and keeps a file that exists. It returns what the file has.
func (s fileSecret) save(text string) (string, error) {
	draft, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("save a secret: %w", err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	_, err = draft.WriteString(text + "\n")
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return "", fmt.Errorf("save a secret: %w", err)
	}
	if err := os.Link(draft.Name(), s.path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("save a secret: %w", err)
	}
	return s.read()
}
