package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
)

// The kinds of channels.
const (
	TypeSlack   = "slack_webhook"
	TypeWebhook = "webhook"
	TypeEmail   = "email"
)

// Channels manages notification channels.
type Channels struct {
	Keys   *keyring.Keyring
	Sender *Sender
	Logger *slog.Logger
	Max    int // in an account; 0 is unlimited

	PublicURL        string // of the API, without a slash at its end; for links in e-mail
	DeliveriesPerDay int    // of an account; 0: no limit
}

// Channel is a channel with its redacted configuration.
type Channel struct {
	dbgen.NotificationChannel

	Config     Config
	Recipients []Recipient // of a channel for e-mail
}

// ChannelPatch changes the members that are not nil.
type ChannelPatch struct {
	Name    *string
	Config  *ConfigPatch
	Enabled *bool
}

// ValidateConfig validates the configuration of a new channel. It resolves host names, so it must not be called in a transaction.
func (c Channels) ValidateConfig(ctx context.Context, channelType string, patch ConfigPatch) error {
	var config Config
	config.apply(patch, time.Now())
	return c.Sender.validate(ctx, channelType, config)
}

// Create creates a channel, whose configuration ValidateConfig has accepted.
func (c Channels) Create(ctx context.Context, db *postgres.DB, accountID uuid.UUID, name, channelType string, patch ConfigPatch, enabled bool) (Channel, error) {
	name = strings.TrimSpace(name)
	var config Config
	config.apply(patch, time.Now())
	id := uuid.Must(uuid.NewV7())
	encrypted, err := c.encrypt(accountID, id, config)
	if err != nil {
		return Channel{}, err
	}
	var channel Channel
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		row, err := db.CreateNotificationChannel(ctx, dbgen.CreateNotificationChannelParams{
			AccountID: accountID, ID: id, Name: name, ChannelType: channelType, EncryptedConfig: encrypted, Enabled: enabled, Now: time.Now(),
		})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := quota.Check(ctx, db, accountID, quota.Channels, c.Max); err != nil {
			return err
		}
		if err := requestConfirmations(ctx, db, row, config); err != nil {
			return err
		}
		if channel, err = redactedChannel(ctx, db, row, config); err != nil {
			return err
		}
		return audit.Record(ctx, db, channelChange(row, "notification_channel.create", audit.Compare(nil, channelMembers(row, config))))
	})
	return channel, err
}

// Update changes a channel. Its pending deliveries use the new configuration.
func (c Channels) Update(ctx context.Context, db *postgres.DB, target etag.Ref, patch ChannelPatch) (Channel, error) {
	before, config, err := c.get(ctx, db, target)
	if err != nil {
		return Channel{}, err
	}
	if patch.Config != nil { // outside of the transaction: it resolves names
		config.apply(*patch.Config, time.Now())
		if err := c.Sender.validate(ctx, before.ChannelType, config); err != nil {
			return Channel{}, err
		}
	}
	var channel Channel
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		row, config, err := c.lock(ctx, db, target)
		if err != nil {
			return err
		}
		if row, config, err = c.update(ctx, db, row, config, patch); err != nil {
			return err
		}
		channel, err = redactedChannel(ctx, db, row, config)
		return err
	})
	return channel, err
}

// update stores the changes of a locked channel.
func (c Channels) update(ctx context.Context, db *postgres.DB, row dbgen.NotificationChannel, config Config, patch ChannelPatch) (dbgen.NotificationChannel, Config, error) {
	before, recipients := channelMembers(row, config), config.To
	row.Name = strings.TrimSpace(ptr.Or(patch.Name, row.Name))
	row.Enabled = ptr.Or(patch.Enabled, row.Enabled)
	if patch.Config != nil && config.apply(*patch.Config, time.Now()) {
		encrypted, err := c.encrypt(row.AccountID, row.ID, config)
		if err != nil {
			return row, config, err
		}
		row.EncryptedConfig = encrypted
	}
	if len(audit.Compare(before, channelMembers(row, config))) == 0 {
		return row, config, nil
	}
	row, err := db.UpdateNotificationChannel(ctx, dbgen.UpdateNotificationChannelParams{
		AccountID: row.AccountID, ID: row.ID, Name: row.Name, EncryptedConfig: row.EncryptedConfig, Enabled: row.Enabled, Now: time.Now(),
	})
	if err != nil {
		return row, config, postgres.Classify(err)
	}
	if config.To != recipients {
		if err := requestConfirmations(ctx, db, row, config); err != nil {
			return row, config, err
		}
	}
	return row, config, audit.Record(ctx, db, channelChange(row, "notification_channel.update", audit.Compare(before, channelMembers(row, config))))
}

// Delete removes a channel with its preferences, and cancels its pending deliveries. Its history stays.
func (c Channels) Delete(ctx context.Context, db *postgres.DB, target etag.Ref) error {
	return db.WithTx(ctx, func(db *postgres.DB) error {
		channel, config, err := c.lock(ctx, db, target)
		if err != nil {
			return err
		}
		err = db.DeleteNotificationChannel(ctx, dbgen.DeleteNotificationChannelParams{AccountID: target.AccountID, ID: target.ID, Now: time.Now()})
		if err == nil {
			err = db.DeletePreferencesOfChannel(ctx, dbgen.DeletePreferencesOfChannelParams{AccountID: target.AccountID, ChannelID: target.ID})
		}
		if err == nil {
			err = db.CancelDeliveriesOfChannel(ctx, dbgen.CancelDeliveriesOfChannelParams{AccountID: target.AccountID, ChannelID: target.ID, Now: time.Now()})
		}
		if err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, channelChange(channel, "notification_channel.delete", audit.Compare(channelMembers(channel, config), nil)))
	})
}

// Test sends a message to a channel, also to a disabled one, and returns the recorded result. No transaction is open while it
// waits for the receiver.
func (c Channels) Test(ctx context.Context, db *postgres.DB, accountID, id uuid.UUID) (dbgen.NotificationDelivery, error) {
	channel, config, err := c.get(ctx, db, etag.Ref{AccountID: accountID, ID: id})
	if err != nil {
		return dbgen.NotificationDelivery{}, err
	}
	deliveryID := uuid.Must(uuid.NewV7())
	message := delivery{
		id: deliveryID, channelType: channel.ChannelType, eventType: eventTest, config: config,
		payload: payload{ID: deliveryID, OccurredAt: time.Now().UTC(), Text: "This is a test of the notification channel “" + channel.Name + "”"},
	}
	text, err := json.Marshal(message.payload)
	if err != nil {
		return dbgen.NotificationDelivery{}, fmt.Errorf("encode a test message: %w", err)
	}
	sent, status, err := c.sendTest(ctx, db, accountID, message)
	if err != nil {
		return dbgen.NotificationDelivery{}, err
	}
	row, err := db.InsertTestDelivery(ctx, dbgen.InsertTestDeliveryParams{
		AccountID: accountID, ID: deliveryID, ChannelID: id, Payload: text, Status: status, Now: time.Now(),
		ResponseStatus: sent.responseStatus, ErrorClass: sent.errorClass, LatencyMs: sent.latencyMS(),
	})
	return row, postgres.Classify(err)
}

// sendTest sends a test message and returns the status of its delivery. It counts as a delivery of the account.
func (c Channels) sendTest(ctx context.Context, db *postgres.DB, accountID uuid.UUID, message delivery) (sent outcome, status string, err error) {
	if message.channelType == TypeEmail {
		if message.recipients, err = confirmedAddresses(ctx, db, accountID, message.config); err != nil {
			return sent, "", err
		}
		if len(message.recipients) == 0 {
			return failure(errorRecipientUnconfirmed, true), statusCancelled, nil
		}
	}
	if err := reserveOrReject(ctx, db, accountID, usageDelivery, 1, c.DeliveriesPerDay); err != nil {
		return sent, "", err
	}
	if sent = c.Sender.send(ctx, message); sent.delivered {
		return sent, statusDelivered, nil
	}
	return sent, statusFailed, nil
}

// Redeliver starts another generation of attempts of a delivery.
func (c Channels) Redeliver(ctx context.Context, db *postgres.DB, accountID, id uuid.UUID) (record dbgen.DeliveryDetail, err error) {
	err = db.WithTx(ctx, func(db *postgres.DB) error {
		record, err = db.GetDeliveryDetails(ctx, dbgen.GetDeliveryDetailsParams{AccountID: accountID, ID: id})
		if err != nil {
			return postgres.Classify(err)
		}
		channel, err := db.GetNotificationChannelForUpdate(ctx, dbgen.GetNotificationChannelForUpdateParams{AccountID: accountID, ID: record.ChannelID})
		switch err := postgres.Classify(err); {
		case apperr.Is(err, apperr.NotFound):
			return apperr.New(apperr.Conflict, "The channel is deleted")
		case err != nil:
			return err
		case !channel.Enabled:
			return apperr.New(apperr.Conflict, "The channel is disabled: enable it first")
		}
		if err := reserveOrReject(ctx, db, accountID, usageDelivery, 1, c.DeliveriesPerDay); err != nil {
			return err
		}
		requeued, err := db.RequeueDelivery(ctx, dbgen.RequeueDeliveryParams{AccountID: accountID, ID: id, Now: time.Now()})
		if err == nil {
			err = enqueue(ctx, db, deliverArgs{AccountID: accountID, ChannelID: channel.ID, DeliveryID: id, Generation: requeued.Generation})
		}
		if err == nil {
			record, err = db.GetDeliveryDetails(ctx, dbgen.GetDeliveryDetailsParams{AccountID: accountID, ID: id})
		}
		if err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, audit.Change{
			AccountID: accountID, Action: "notification_delivery.redeliver", ObjectType: "notification_delivery", ObjectID: id, ObjectName: record.EventType + " to " + record.ChannelName,
		})
	})
	return record, err
}

// Get returns a channel with its redacted configuration.
func (c Channels) Get(ctx context.Context, db *postgres.DB, accountID, id uuid.UUID) (Channel, error) {
	row, config, err := c.get(ctx, db, etag.Ref{AccountID: accountID, ID: id})
	if err != nil {
		return Channel{}, err
	}
	return redactedChannel(ctx, db, row, config)
}

// Redacted returns rows with their redacted configurations.
func (c Channels) Redacted(ctx context.Context, db *postgres.DB, accountID uuid.UUID, rows []dbgen.NotificationChannel) ([]Channel, error) {
	configs := make([]Config, len(rows))
	for i, row := range rows {
		configs[i] = c.decrypt(ctx, row)
	}
	recipients, err := recipientsOf(ctx, db, accountID, configs...)
	if err != nil {
		return nil, err
	}
	channels := make([]Channel, len(rows))
	for i, row := range rows {
		channels[i] = Channel{row, configs[i].redacted(), recipients[i]}
	}
	return channels, nil
}

func redactedChannel(ctx context.Context, db *postgres.DB, row dbgen.NotificationChannel, config Config) (Channel, error) {
	recipients, err := recipientsOf(ctx, db, row.AccountID, config)
	if err != nil {
		return Channel{}, err
	}
	return Channel{row, config.redacted(), recipients[0]}, nil
}

func (c Channels) get(ctx context.Context, db *postgres.DB, target etag.Ref) (dbgen.NotificationChannel, Config, error) {
	channel, err := db.GetNotificationChannel(ctx, dbgen.GetNotificationChannelParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return channel, Config{}, postgres.Classify(err)
	}
	return channel, c.decrypt(ctx, channel), target.Verify(channel.Revision)
}

func (c Channels) lock(ctx context.Context, db *postgres.DB, target etag.Ref) (dbgen.NotificationChannel, Config, error) {
	channel, err := db.GetNotificationChannelForUpdate(ctx, dbgen.GetNotificationChannelForUpdateParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return channel, Config{}, postgres.Classify(err)
	}
	return channel, c.decrypt(ctx, channel), target.Verify(channel.Revision)
}

// channelMembers returns the members that the audit log has the values of; of the configuration, it has what the API shows, and of
// recipients less: entries cannot be deleted.
func channelMembers(channel dbgen.NotificationChannel, config Config) []audit.Member {
	return []audit.Member{
		{Name: "name", Value: channel.Name},
		{Name: "channel_type", Value: channel.ChannelType},
		{Name: "enabled", Value: channel.Enabled},
		{Name: "disabled_reason", Value: channel.DisabledReason},
		{Name: "config.webhook_url", Value: config.WebhookURL, Redact: redactURL},
		{Name: "config.url", Value: config.URL, Redact: redactURL},
		{Name: "config.to", Value: config.To, Redact: redactRecipients},
		{Name: "config.secret", Value: config.Secret, Redact: redactSecret},
	}
}

func channelChange(channel dbgen.NotificationChannel, action string, values []audit.Value) audit.Change {
	return audit.Change{AccountID: channel.AccountID, Action: action, ObjectType: "notification_channel", ObjectID: channel.ID, ObjectName: channel.Name, Values: values}
}
