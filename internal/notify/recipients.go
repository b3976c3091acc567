package notify

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	// ConfirmationPath is the path of the page that a confirmation e-mail links to.
	ConfirmationPath = "/notification-recipients/confirm"

	confirmationLifetime = 7 * 24 * time.Hour
	confirmationInterval = time.Hour // between two e-mails of an account to an address
	confirmationsPerDay  = 200       // e-mails of an account
	addressEmailsPerDay  = 5         // e-mails to an address, of all accounts
)

// Recipient is an address of an e-mail channel.
type Recipient struct {
	Address     string
	RequestedAt *time.Time // the last confirmation e-mail was requested; nil: none is valid
	ConfirmedAt *time.Time // nil: nothing but confirmation e-mails is sent to it
}

// addressHash identifies an address within an account. Spellings that differ in case are the same address.
func addressHash(address string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.ToLower(address)))
}

// recipientsOf returns the recipients of configurations, in the order of their addresses.
func recipientsOf(ctx context.Context, db *postgres.DB, accountID uuid.UUID, configs ...Config) ([][]Recipient, error) {
	recipients := make([][]Recipient, len(configs))
	var hashes [][]byte
	for i, config := range configs {
		addresses, err := parseRecipients(config.To)
		if err != nil { // not an e-mail channel, or not decrypted
			continue
		}
		for _, address := range addresses {
			hash := addressHash(address)
			hashes = append(hashes, hash[:])
			recipients[i] = append(recipients[i], Recipient{Address: address})
		}
	}
	if len(hashes) == 0 {
		return recipients, nil
	}
	rows, err := db.ListRecipients(ctx, dbgen.ListRecipientsParams{AccountID: accountID, AddressHashes: hashes})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	known := make(map[[sha256.Size]byte]Recipient, len(rows))
	for _, row := range rows {
		known[[sha256.Size]byte(row.AddressHash)] = Recipient{RequestedAt: &row.RequestedAt, ConfirmedAt: row.ConfirmedAt}
	}
	for _, list := range recipients {
		for i, recipient := range list {
			list[i] = known[addressHash(recipient.Address)]
			list[i].Address = recipient.Address
		}
	}
	return recipients, nil
}

// confirmedAddresses returns the addresses of a configuration that may be written to.
func confirmedAddresses(ctx context.Context, db *postgres.DB, accountID uuid.UUID, config Config) ([]string, error) {
	recipients, err := recipientsOf(ctx, db, accountID, config)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, recipient := range recipients[0] {
		if recipient.ConfirmedAt != nil {
			addresses = append(addresses, recipient.Address)
		}
	}
	return addresses, nil
}

// requestConfirmations enqueues a confirmation e-mail to each address that is neither confirmed nor was requested within
// confirmationInterval.
func requestConfirmations(ctx context.Context, db *postgres.DB, channel dbgen.NotificationChannel, config Config) error {
	addresses, err := parseRecipients(config.To)
	if err != nil {
		return nil //nolint:nilerr // not an e-mail channel
	}
	seen := make(map[[sha256.Size]byte]bool, len(addresses))
	params := dbgen.RequestConfirmationsParams{AccountID: channel.AccountID, Now: time.Now(), RequestedBefore: time.Now().Add(-confirmationInterval)}
	for _, address := range addresses {
		if hash := addressHash(address); !seen[hash] {
			seen[hash] = true
			params.AddressHashes = append(params.AddressHashes, hash[:])
		}
	}
	due, err := db.RequestConfirmations(ctx, params)
	if err != nil || len(due) == 0 {
		return postgres.Classify(err)
	}
	if err := reserveOrReject(ctx, db, channel.AccountID, usageConfirmationEmail, len(due), confirmationsPerDay); err != nil {
		return err
	}
	jobs := make([]confirmationEmailArgs, len(due))
	for i, hash := range due {
		jobs[i] = confirmationEmailArgs{AccountID: channel.AccountID, ChannelID: channel.ID, AddressHash: hex.EncodeToString(hash)}
	}
	return enqueueEmails(ctx, db, jobs)
}

// ResendConfirmations sends another confirmation e-mail to the recipients of a channel that are due: not confirmed, and not
// requested within confirmationInterval.
func (c Channels) ResendConfirmations(ctx context.Context, db *postgres.DB, accountID, id uuid.UUID) (Channel, error) {
	var channel Channel
	err := db.WithTx(ctx, func(db *postgres.DB) error {
		row, config, err := c.lock(ctx, db, etag.Ref{AccountID: accountID, ID: id})
		if err != nil {
			return err
		}
		if err := requestConfirmations(ctx, db, row, config); err != nil {
			return err
		}
		if channel, err = redactedChannel(ctx, db, row, config); err != nil {
			return err
		}
		return audit.Record(ctx, db, channelChange(row, "notification_channel.resend_confirmations", nil))
	})
	return channel, err
}

// confirmation is what the token of a confirmation e-mail authorises: to confirm one address for one account.
type confirmation struct {
	accountID uuid.UUID
	address   [sha256.Size]byte
	expiresAt time.Time
}

// confirmationPurpose is additional data: a ciphertext of another purpose is no token.
const confirmationPurpose = "recipient_confirmation"

// ErrInvalidToken reports a token that is malformed, expired, or of no known recipient.
var ErrInvalidToken = errors.New("invalid or expired confirmation token")

func (c confirmation) token(keys *keyring.Keyring) string {
	plain := slices.Concat(c.accountID[:], c.address[:])
	plain = binary.BigEndian.AppendUint64(plain, uint64(c.expiresAt.Unix())) //nolint:gosec // after 1970
	return base64.RawURLEncoding.EncodeToString(keys.Encrypt(plain, []byte(confirmationPurpose)))
}

func parseConfirmation(keys *keyring.Keyring, token string, now time.Time) (c confirmation, err error) {
	encrypted, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return c, ErrInvalidToken
	}
	plain, err := keys.Decrypt(encrypted, []byte(confirmationPurpose))
	if err != nil || len(plain) != len(c.accountID)+len(c.address)+8 {
		return c, ErrInvalidToken
	}
	rest := plain[copy(c.accountID[:], plain):]
	rest = rest[copy(c.address[:], rest):]
	c.expiresAt = time.Unix(int64(binary.BigEndian.Uint64(rest)), 0) //nolint:gosec // as it was encoded
	if now.After(c.expiresAt) {
		return c, ErrInvalidToken
	}
	return c, nil
}

// CheckConfirmation returns ErrInvalidToken unless Confirm may accept the token. It makes no query.
func (c Channels) CheckConfirmation(token string) error {
	_, err := parseConfirmation(c.Keys, token, time.Now())
	return err
}

// Confirm confirms the recipient that a token names. Confirming it again changes nothing.
func (c Channels) Confirm(ctx context.Context, pool *postgres.TenantPool, token string) error {
	confirmed, err := parseConfirmation(c.Keys, token, time.Now())
	if err != nil {
		return err
	}
	now := time.Now()
	return pool.Tenant(confirmed.accountID).WithTx(ctx, func(db *postgres.DB) error {
		changed, err := db.ConfirmRecipient(ctx, dbgen.ConfirmRecipientParams{AccountID: confirmed.accountID, AddressHash: confirmed.address[:], Now: now})
		if err != nil {
			return postgres.Classify(err)
		}
		if changed == 0 {
			return requireRecipient(ctx, db, confirmed)
		}
		return audit.Record(ctx, db, audit.Change{
			AccountID: confirmed.accountID, Action: "notification_recipient.confirm", ObjectType: "notification_recipient",
			ObjectID: uuid.NewSHA1(confirmed.accountID, confirmed.address[:]), Values: audit.Compare(nil, []audit.Member{{Name: "confirmed_at", Value: now.UTC()}}),
		})
	})
}

func requireRecipient(ctx context.Context, db *postgres.DB, confirmed confirmation) error {
	rows, err := db.ListRecipients(ctx, dbgen.ListRecipientsParams{AccountID: confirmed.accountID, AddressHashes: [][]byte{confirmed.address[:]}})
	if err != nil {
		return postgres.Classify(err)
	}
	if len(rows) == 0 {
		return fmt.Errorf("%w: the recipient was deleted", ErrInvalidToken)
	}
	return nil
}
