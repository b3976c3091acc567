package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"filippo.io/age"

	"github.com/versioner-io/versioner/internal/app"
	"github.com/versioner-io/versioner/internal/backup"
	"github.com/versioner-io/versioner/internal/config"
)

type restoreCommand struct {
	config.BackupSettings

	From     string   `help:"File of versionerd backup; - is standard input."                        placeholder:"FILE" required:""`
	Identity []string `help:"File with the private key of a recipient of an encrypted backup." placeholder:"FILE"`
}

// Help describes the target.
func (restoreCommand) Help() string {
	return `Restores into an empty database, that of DATABASE_URL, or into an empty data directory, which may have the secrets of the
backup. The rows are compared with those of the backup, and the schema is migrated.`
}

// Run prints what was restored to standard error.
func (c restoreCommand) Run(ctx context.Context, cfg config.Config, abort *app.Abort) error {
	archive, err := c.open()
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	manifest := archive.Manifest
	if err := manifest.CheckSchema(); err != nil {
		return err
	}
	secrets, err := restoredSecrets(cfg, archive)
	if err != nil {
		return err
	}
	undo := func() error { return nil }
	if cfg.DatabaseURL == "" {
		if undo, err = backup.RequireEmptyDirectory(cfg.DataDir, config.IsSecretFile); err != nil {
			return err
		}
	}
	err = app.WithDatabase(ctx, cfg, quietLogger(cfg), app.OpenExclusiveDatabase(abort), func(dsn string) error {
		if archive.Secrets != nil && cfg.DatabaseURL == "" {
			if err := cfg.SaveSecrets(secrets); err != nil {
				return err
			}
		}
		return backup.Restore(ctx, dsn, archive, slog.New(slog.DiscardHandler))
	})
	if err != nil {
		return errors.Join(err, undo())
	}
	fmt.Fprintf(os.Stderr, "Restored the backup of %s: %d rows of %d tables. Servers can start.\n", manifest.CreatedAt.Format("2006-01-02 15:04:05 MST"), manifest.Rows(), len(manifest.Tables))
	return nil
}

// open reads the whole archive.
func (c restoreCommand) open() (*backup.Archive, error) {
	var identities []age.Identity
	for _, path := range c.Identity {
		parsed, err := readIdentities(path)
		if err != nil {
			return nil, fmt.Errorf("--identity %s: %w", path, err)
		}
		identities = append(identities, parsed...)
	}
	var file io.ReadCloser = os.Stdin
	if c.From != standardStream {
		var err error
		if file, err = os.Open(c.From); err != nil {
			return nil, fmt.Errorf("open the backup: %w", err)
		}
	}
	defer func() { _ = file.Close() }()
	archive, err := backup.Open(file, identities)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.From, err)
	}
	return archive, nil
}

func readIdentities(path string) ([]age.Identity, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file
	}
	defer func() { _ = file.Close() }()
	return age.ParseIdentities(file) //nolint:wrapcheck // wrapped by the caller
}

// restoredSecrets returns the secrets of the restored database: those of the settings and the data directory, or else those of the backup.
// The pepper must be that of the backup.
func restoredSecrets(cfg config.Config, archive *backup.Archive) (config.Secrets, error) {
	secrets, err := cfg.FindSecrets()
	if err != nil {
		return secrets, err
	}
	if kept := archive.Secrets; kept != nil {
		if secrets.KeyPepper == "" {
			secrets.KeyPepper = kept.KeyPepper
		}
		if secrets.EncryptionKeys == "" {
			secrets.EncryptionKeys = kept.EncryptionKeys
		}
	}
	peppers, err := secrets.Peppers()
	if err != nil {
		return secrets, err
	}
	switch {
	case secrets.KeyPepper != "":
		return secrets, archive.Manifest.CheckPepper(peppers)
	case cfg.DatabaseURL == "" && len(archive.Manifest.PepperVerifier) > 0:
		return secrets, fmt.Errorf("the backup has no secrets: put the file key-pepper, and encryption-key, of its server into %s, or set VERSIONER_KEY_PEPPER; without the pepper no API key is valid", cfg.DataDir)
	}
	return secrets, nil
}
