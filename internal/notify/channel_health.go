package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/postgres"
)

// updateChannelHealth records since when a channel fails, and disables one whose receiver is gone or has failed for too long.
func (w *Worker) updateChannelHealth(ctx context.Context, args deliverArgs, row dbgen.GetPendingDeliveryRow, sent outcome) error {
	switch {
	case sent.receiverGone:
		return w.disable(ctx, args, "gone")
	case sent.delivered && row.FailingSince != nil:
		return postgres.Classify(w.db.ClearChannelFailure(ctx, dbgen.ClearChannelFailureParams{AccountID: args.AccountID, ID: args.ChannelID}))
	case sent.delivered:
		return nil
	case row.FailingSince == nil:
		return postgres.Classify(w.db.MarkChannelFailing(ctx, dbgen.MarkChannelFailingParams{AccountID: args.AccountID, ID: args.ChannelID, Now: time.Now()}))
	case time.Since(*row.FailingSince) > disableAfter:
		return w.disable(ctx, args, "failing")
	}
	return nil
}

// disable stops a channel and notifies the account's other Slack and e-mail channels and its admins.
func (w *Worker) disable(ctx context.Context, args deliverArgs, reason string) error {
	err := w.db.WithTx(ctx, func(db *postgres.DB) error {
		channel, err := db.DisableNotificationChannel(ctx, dbgen.DisableNotificationChannelParams{AccountID: args.AccountID, ID: args.ChannelID, Reason: &reason, Now: time.Now()})
		if err != nil {
			return postgres.Classify(err)
		}
		text := disabledText(channel.Name, reason)
		message, err := json.Marshal(payload{ID: channel.ID, OccurredAt: *channel.DisabledAt, Text: text})
		if err != nil {
			return fmt.Errorf("encode a payload: %w", err)
		}
		if err := notifyChannelDisabled(ctx, db, args, message); err != nil {
			return err
		}
		if w.sender.Mail != nil {
			if err := enqueueAdminEmails(ctx, db, args.AccountID, text); err != nil {
				return err
			}
		}
		return audit.Record(ctx, db, channelChange(channel, "notification_channel.disable", audit.Compare(
			[]audit.Member{{Name: "enabled", Value: true}, {Name: "disabled_reason"}}, []audit.Member{{Name: "enabled", Value: false}, {Name: "disabled_reason", Value: reason}})))
	})
	if apperr.Is(err, apperr.NotFound) { // disabled concurrently
		return nil
	}
	return err
}

func disabledText(name, reason string) string {
	cause := "its receiver responded that it is permanently gone"
	if reason == "failing" {
		cause = "every delivery to it has failed for five days"
	}
	return fmt.Sprintf("The notification channel “%s” is disabled: %s", name, cause)
}

// notifyChannelDisabled notifies the account's other Slack and e-mail channels of a disabled one.
func notifyChannelDisabled(ctx context.Context, db *postgres.DB, args deliverArgs, message []byte) error {
	channels, err := db.ListOtherMessageChannels(ctx, dbgen.ListOtherMessageChannelsParams{AccountID: args.AccountID, ChannelID: args.ChannelID})
	if err != nil || len(channels) == 0 {
		return postgres.Classify(err)
	}
	jobs := make([]deliverArgs, len(channels))
	ids := make([]uuid.UUID, len(channels))
	for i, channel := range channels {
		ids[i] = uuid.Must(uuid.NewV7())
		jobs[i] = deliverArgs{AccountID: args.AccountID, ChannelID: channel, DeliveryID: ids[i], Generation: 1}
	}
	err = db.InsertAnnouncements(ctx, dbgen.InsertAnnouncementsParams{
		AccountID: args.AccountID, EventType: eventChannelDisabled, Payload: message, Now: time.Now(), IDs: ids, ChannelIDs: channels,
	})
	if err != nil {
		return postgres.Classify(err)
	}
	return enqueue(ctx, db, jobs...)
}
