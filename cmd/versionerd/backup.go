package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/backup"
	"github.com/versioner-io/versioner/internal/config"
)

const standardStream = "-" // as a file: standard input or output

type backupCommand struct {
	config.BackupSettings

	To          string   `help:"File to write, which is replaced once the backup is complete; - is standard output."          placeholder:"FILE" required:""`
	Recipient   []string `help:"Encrypt the backup for a public key of age, such as age1…; several are possible."   placeholder:"KEY"`
	WithSecrets bool     `help:"Include the pepper and the encryption keys; requires --recipient."`
}

// Help shows how to make a key.
func (backupCommand) Help() string {
	return `Servers may run. The backup is a tar archive with a manifest and a dump of pg_dump, which has to be installed in the
version of the server. It is encrypted for --recipient: age-keygen of https://age-encryption.org makes keys.`
}

// Validate is called by kong.
func (c backupCommand) Validate() error {
	if c.WithSecrets && len(c.Recipient) == 0 {
		return errors.New("--with-secrets: requires --recipient, as secrets are only stored encrypted")
	}
	return nil
}

// Run prints what was backed up to standard error.
func (c backupCommand) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	options := backup.Options{}
	var err error
	if options.Recipients, err = parseRecipients(c.Recipient); err != nil {
		return err
	}
	secrets, err := cfg.FindSecrets()
	if err != nil {
		return err
	}
	if options.Peppers, err = secrets.Peppers(); err != nil {
		return err
	}
	if c.WithSecrets {
		if secrets.KeyPepper == "" || secrets.EncryptionKeys == "" {
			return errors.New("--with-secrets: VERSIONER_KEY_PEPPER and VERSIONER_ENCRYPTION_KEYS are neither set nor in the data directory")
		}
		options.Secrets = &backup.Secrets{KeyPepper: secrets.KeyPepper, EncryptionKeys: secrets.EncryptionKeys}
	}
	return withDatabase(ctx, cfg, quietLogger(cfg), abort, func(dsn string) error {
		var manifest backup.Manifest
		err := writeFile(c.To, func(w io.Writer) (err error) {
			manifest, err = backup.Create(ctx, dsn, w, options)
			return err
		})
		if err == nil {
			fmt.Fprintf(os.Stderr, "Backed up %d rows of %d tables, schema version %d.\n", manifest.Rows(), len(manifest.Tables), manifest.SchemaVersion)
		}
		return err
	})
}

func parseRecipients(texts []string) ([]age.Recipient, error) {
	var recipients []age.Recipient
	for _, text := range texts {
		parsed, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("--recipient %q: use a public key of age, such as age1…: %w", text, err)
		}
		recipients = append(recipients, parsed...)
	}
	return recipients, nil
}

// writeFile replaces a file once it is complete.
func writeFile(path string, write func(io.Writer) error) error {
	if path == standardStream {
		if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return errors.New("--to -: standard output is a terminal: redirect it")
		}
		return write(os.Stdout)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("create the backup: %w", err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	if err := write(draft); err != nil {
		return errors.Join(err, draft.Close())
	}
	if err := errors.Join(draft.Sync(), draft.Close()); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if err := os.Rename(draft.Name(), path); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}
