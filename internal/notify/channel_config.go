package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/egress"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/postgres"
)

// previousSecretLife is how long messages are also signed with the previous secret.
const previousSecretLife = 24 * time.Hour

// Config is the configuration of a channel: WebhookURL for Slack, URL and optionally Secret for webhooks, To for e-mail.
type Config struct {
	WebhookURL string `json:"webhook_url,omitempty"`
	URL        string `json:"url,omitempty"`
	Secret     string `json:"secret,omitempty"`
	To         string `json:"to,omitempty"`

	PreviousSecret string    `json:"previous_secret,omitempty"`
	PreviousUntil  time.Time `json:"previous_until,omitzero"`
}

// ConfigPatch changes the members that are not nil. A redacted value that is sent back changes nothing.
type ConfigPatch struct{ WebhookURL, URL, Secret, To *string }

// secrets returns the signing secrets, the current one first.
func (c Config) secrets(now time.Time) []string {
	var secrets []string
	if c.Secret != "" {
		secrets = append(secrets, c.Secret)
		if c.PreviousSecret != "" && now.Before(c.PreviousUntil) {
			secrets = append(secrets, c.PreviousSecret)
		}
	}
	return secrets
}

// redacted returns what the API may show: enough to recognise an address, too little to use it.
func (c Config) redacted() Config {
	return Config{WebhookURL: redactURL(c.WebhookURL), URL: redactURL(c.URL), Secret: redactSecret(c.Secret), To: c.To}
}

const minSecret = 8 // characters

const (
	mask          = "****"
	visibleSuffix = 4
	minHiddenLen  = 12 // shorter secrets are hidden completely
)

func redactSecret(secret string) string {
	if secret == "" {
		return ""
	}
	return mask
}

// redactURL keeps scheme and host, and the end of a path that is long enough to stay secret without it.
func redactURL(text string) string {
	address, err := url.Parse(text)
	if text == "" || err != nil {
		return ""
	}
	origin := address.Scheme + "://" + address.Host
	rest := strings.TrimPrefix(text, origin)
	if len(rest) < minHiddenLen+visibleSuffix {
		return origin + "/" + mask
	}
	return origin + "/" + mask + rest[len(rest)-visibleSuffix:]
}

// redactRecipients leaves the first character and the domain of each address.
func redactRecipients(to string) string {
	addresses, err := parseRecipients(to)
	if err != nil {
		return mask
	}
	for i, address := range addresses {
		local, domain, _ := strings.Cut(address, "@")
		_, size := utf8.DecodeRuneInString(local)
		addresses[i] = local[:size] + mask + "@" + domain
	}
	return strings.Join(addresses, ", ")
}

// apply changes the configuration and reports whether any member is another one.
func (c *Config) apply(patch ConfigPatch, now time.Time) (isChanged bool) {
	shown := c.redacted()
	set := func(target *string, shown string, value *string) {
		if value != nil && *value != *target && (*value != shown || shown == "") {
			*target = *value
			isChanged = true
		}
	}
	set(&c.WebhookURL, shown.WebhookURL, patch.WebhookURL)
	set(&c.URL, shown.URL, patch.URL)
	set(&c.To, shown.To, patch.To)
	former := c.Secret
	set(&c.Secret, shown.Secret, patch.Secret)
	if c.Secret != former {
		c.PreviousSecret, c.PreviousUntil = former, now.Add(previousSecretLife)
		if c.Secret == "" || former == "" {
			c.PreviousSecret, c.PreviousUntil = "", time.Time{}
		}
	}
	return isChanged
}

// validate returns all problems of a configuration for that type of channel.
func (s *Sender) validate(ctx context.Context, channelType string, config Config) error {
	var problems []apperr.Field
	problem := func(name, kind, text string) {
		problems = append(problems, apperr.Field{Loc: []any{"body", "config", name}, Msg: text, Type: "value_error." + kind})
	}
	for _, member := range []struct{ name, value, of string }{
		{"webhook_url", config.WebhookURL, TypeSlack},
		{"url", config.URL, TypeWebhook},
		{"to", config.To, TypeEmail},
		{"secret", config.Secret, TypeWebhook},
	} {
		switch {
		case member.value != "" && member.of != channelType:
			problem(member.name, "extra", "not valid for channel type "+channelType)
		case member.value == "" && member.of == channelType && member.name != "secret":
			problem(member.name, "missing", "field required")
		}
	}
	for name, address := range map[string]string{"webhook_url": config.WebhookURL, "url": config.URL} {
		if address == "" {
			continue
		}
		if _, err := s.HTTP.CheckURL(ctx, address); err != nil {
			problem(name, "url", publicReason(err))
		}
	}
	if config.To != "" {
		if _, err := parseRecipients(config.To); err != nil {
			problem("to", "email", err.Error())
		}
		if s.Mail == nil {
			problem("to", "email", "e-mail is not configured: the operator has to set VERSIONER_SMTP_URL")
		}
	}
	validateSecret(config.Secret, problem)
	if len(problems) > 0 {
		return apperr.NewInvalid(problems...)
	}
	return nil
}

func validateSecret(secret string, problem func(name, kind, text string)) {
	if secret != "" && len(secret) < minSecret {
		problem("secret", "any_str.min_length", fmt.Sprintf("at least %d characters", minSecret))
	}
	if encoded, standard := strings.CutPrefix(secret, secretPrefix); standard {
		if key, err := base64.StdEncoding.DecodeString(encoded); err != nil || len(key) < 24 || len(key) > 64 {
			problem("secret", "secret", "whsec_ must be followed by 24 to 64 bytes in base64 (Standard Webhooks)")
		}
	}
}

// publicReason returns the reason for rejecting an address that callers may see.
func publicReason(err error) string {
	if forbidden, ok := errors.AsType[*egress.ForbiddenError](err); ok {
		return forbidden.Reason
	}
	if invalid, ok := errors.AsType[*egress.InvalidError](err); ok {
		return invalid.Reason
	}
	return "not a usable address"
}

// decrypt returns the configuration to show and change. A channel that cannot be decrypted is shown without it and can be given
// a new one, and the reason is logged.
func (c Channels) decrypt(ctx context.Context, channel dbgen.NotificationChannel) Config {
	config, err := decryptConfig(c.Keys, channel.AccountID, channel.ID, channel.EncryptedConfig)
	if err != nil {
		c.Logger.ErrorContext(ctx, "cannot decrypt notification channel", "channel_id", channel.ID, "error", err)
	}
	return config
}

func (c Channels) encrypt(accountID, id uuid.UUID, config Config) ([]byte, error) {
	plain, err := json.Marshal(config) //nolint:gosec // to be encrypted
	if err != nil {
		return nil, fmt.Errorf("encode a channel's configuration: %w", err)
	}
	return c.Keys.Encrypt(plain, additionalData(accountID, id)), nil
}

func decryptConfig(keys *keyring.Keyring, accountID, id uuid.UUID, encrypted []byte) (config Config, err error) {
	plain, err := keys.Decrypt(encrypted, additionalData(accountID, id))
	if err != nil {
		return config, fmt.Errorf("configuration of channel %s: %w", id, err)
	}
	if err := json.Unmarshal(plain, &config); err != nil {
		return config, fmt.Errorf("decode a channel's configuration: %w", err)
	}
	return config, nil
}

// additionalData binds a configuration to its row: it cannot be decrypted in another one.
func additionalData(accountID, id uuid.UUID) []byte {
	return append(append([]byte("notification_channel"), accountID[:]...), id[:]...)
}

// ReencryptAll encrypts with the newest key what another one has encrypted, so that an old key can be removed after a start. It
// returns how many channels it could not decrypt.
func (c Channels) ReencryptAll(ctx context.Context, db *postgres.DB) (undecryptable int, err error) {
	var after uuid.UUID
	for {
		rows, err := db.ListChannelsEncryptedWithOtherKey(ctx, dbgen.ListChannelsEncryptedWithOtherKeyParams{KeyID: c.Keys.KeyID(), AfterID: after})
		if err != nil || len(rows) == 0 {
			return undecryptable, postgres.Classify(err)
		}
		for _, row := range rows {
			after = row.ID
			encrypted, err := c.Keys.Reencrypt(row.EncryptedConfig, additionalData(row.AccountID, row.ID))
			if err != nil {
				undecryptable++
				c.Logger.ErrorContext(ctx, "cannot decrypt notification channel", "channel_id", row.ID, "error", err)
				continue
			}
			err = db.ReplaceEncryptedConfig(ctx, dbgen.ReplaceEncryptedConfigParams{
				AccountID: row.AccountID, ID: row.ID, EncryptedConfig: encrypted, Former: row.EncryptedConfig,
			})
			if err != nil {
				return undecryptable, postgres.Classify(err)
			}
		}
	}
}
