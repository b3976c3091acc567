package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// ConnectionSettings serve commands that work on the database without its secrets.
type ConnectionSettings struct {
	DirectorySettings

	DatabaseURL string `env:"DATABASE_URL" group:"Database" help:"External PostgreSQL, 15 or newer. Default: the embedded PostgreSQL in the data directory." placeholder:"URL" secret:""`
	LogLevel    string `default:"info" env:"VERSIONER_LOG_LEVEL" group:"Database" help:"Least severe level to log: debug, info, warn or error." placeholder:"LEVEL"`
}

// PepperSettings have the secret of API keys.
type PepperSettings struct {
	KeyPepper []string `env:"VERSIONER_KEY_PEPPER" group:"Database" help:"Secret that API keys are hashed with, at least 32 characters; the same on every server of a database. While it is rotated: two, the newest first. Required with DATABASE_URL. Default: generated in the data directory." placeholder:"SECRET" secret:""`
}

// DatabaseSettings serve every command that opens the database as a server does.
type DatabaseSettings struct {
	ConnectionSettings
	PepperSettings

	Migrate string `default:"auto" env:"VERSIONER_MIGRATE" group:"Database" help:"What a start does about pending migrations of the schema: auto applies them, check refuses to start, off ignores them." placeholder:"MODE"`
}

// ReadSettings serve what reads lists.
type ReadSettings struct {
	ReadDatabaseURL string `env:"VERSIONER_READ_DATABASE_URL" group:"Database" help:"Streaming standby of DATABASE_URL from which lists are read while it is at most a second behind. Default: none, lists are read from DATABASE_URL." name:"read-database-url" placeholder:"URL" secret:""`
}

// BackupSettings serve commands that copy the database, and its secrets if they are set.
type BackupSettings struct {
	ConnectionSettings
	PepperSettings
	EncryptionSettings
}

// EncryptionSettings have the secrets of notification channels and sessions.
type EncryptionSettings struct {
	EncryptionKeys []string `env:"VERSIONER_ENCRYPTION_KEYS" group:"Notifications" help:"Keys that encrypt the configuration of notification channels, 32 bytes in base64 each, the newest first; the same on every server of a database. Required with DATABASE_URL. Default: generated in the data directory." placeholder:"KEY" secret:""`
}

// SeedSettings serve a command that writes what the servers of the database encrypt.
type SeedSettings struct {
	DatabaseSettings
	EncryptionSettings
}

// RetentionSettings serve the maintenance of the database, which servers and workers run.
type RetentionSettings struct {
	RetentionEvents int `default:"0" env:"VERSIONER_RETENTION_EVENTS" group:"Retention" help:"Whole months that the event log is kept; the same on every server and worker of a database. Deployments and builds are kept. 0 keeps everything." placeholder:"MONTHS"`
}

// MigrateMode is what a start does about pending migrations.
type MigrateMode string

// The modes.
const (
	MigrateAuto  MigrateMode = "auto"
	MigrateCheck MigrateMode = "check"
	MigrateOff   MigrateMode = "off"
)

// Resolve validates the settings and reports all problems together.
func (s ConnectionSettings) Resolve() (Config, error) {
	var config Config
	err := s.apply(&config)
	return config, err
}

// Resolve validates the settings and reports all problems together.
func (s DatabaseSettings) Resolve() (Config, error) {
	var config Config
	err := s.apply(&config)
	return config, err
}

// Resolve validates the settings and reports all problems together. No secret is required.
func (s BackupSettings) Resolve() (Config, error) {
	var config Config
	err := errors.Join(s.ConnectionSettings.apply(&config), s.PepperSettings.apply(&config), s.EncryptionSettings.apply(&config))
	return config, err
}

// Resolve validates the settings and reports all problems together.
func (s SeedSettings) Resolve() (Config, error) {
	var config Config
	err := errors.Join(s.DatabaseSettings.apply(&config), s.applyRequired(&config))
	return config, err
}

func (s ConnectionSettings) apply(config *Config) error {
	problems := []error{s.DirectorySettings.apply(config)}
	if err := config.LogLevel.UnmarshalText([]byte(s.LogLevel)); err != nil {
		problems = append(problems, fmt.Errorf("VERSIONER_LOG_LEVEL %q: use debug, info, warn or error", s.LogLevel))
	}
	if config.DatabaseURL = s.DatabaseURL; s.DatabaseURL != "" {
		problems = append(problems, validateDatabaseURL("DATABASE_URL", s.DatabaseURL))
	}
	return errors.Join(problems...)
}

func (s PepperSettings) apply(config *Config) (err error) {
	config.KeyPeppers, err = parsePeppers(s.KeyPepper)
	return err
}

func (s EncryptionSettings) apply(config *Config) (err error) {
	config.EncryptionKeys, err = parseEncryptionKeys(s.EncryptionKeys)
	return err
}

// applyRequired runs after that of ConnectionSettings: an external database has servers that must share the keys.
func (s EncryptionSettings) applyRequired(config *Config) error {
	err := s.apply(config)
	if err == nil && len(s.EncryptionKeys) == 0 && config.DatabaseURL != "" {
		return errors.New("VERSIONER_ENCRYPTION_KEYS is not set: with DATABASE_URL it is required, and must be the same on all servers of the database; generate one with `openssl rand -base64 32`")
	}
	return err
}

// apply runs after that of DatabaseSettings.
func (s ReadSettings) apply(config *Config) error {
	if config.ReadDatabaseURL = s.ReadDatabaseURL; s.ReadDatabaseURL == "" {
		return nil
	}
	if config.DatabaseURL == "" {
		return errors.New("VERSIONER_READ_DATABASE_URL is set without DATABASE_URL, of which it is a standby")
	}
	return validateDatabaseURL("VERSIONER_READ_DATABASE_URL", s.ReadDatabaseURL)
}

func (s RetentionSettings) apply(config *Config) error {
	if config.RetentionMonths = s.RetentionEvents; s.RetentionEvents < 0 || s.RetentionEvents > maxRetentionMonths {
		return fmt.Errorf("VERSIONER_RETENTION_EVENTS %d: use a number of months up to %d, or 0 to keep everything", s.RetentionEvents, maxRetentionMonths)
	}
	return nil
}

func (s DatabaseSettings) apply(config *Config) error {
	problems := []error{s.ConnectionSettings.apply(config), s.PepperSettings.apply(config)}
	if len(s.KeyPepper) == 0 && s.DatabaseURL != "" {
		problems = append(problems, errors.New("VERSIONER_KEY_PEPPER is not set: with DATABASE_URL it is required, and must be the same on all servers of the database; generate one with `openssl rand -hex 32`"))
	}
	config.Migrate = cmp.Or(MigrateMode(s.Migrate), MigrateAuto)
	if !slices.Contains([]MigrateMode{MigrateAuto, MigrateCheck, MigrateOff}, config.Migrate) {
		problems = append(problems, fmt.Errorf("VERSIONER_MIGRATE %q: use auto, check or off", s.Migrate))
	}
	return errors.Join(problems...)
}
