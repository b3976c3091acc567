package httpapi

import (
	"context"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
)

type notificationHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
	quotas      quota.Limits
	channels    notify.Channels
}

func (h notificationHandlers) ListNotificationChannels(ctx context.Context, req apigen.ListNotificationChannelsRequestObject) (apigen.ListNotificationChannelsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := paginate(ctx, h.db, h.cursors, page[notify.Channel, apigen.NotificationChannel]{
		scope: listScope{account: account, operation: "listNotificationChannels", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]notify.Channel, error) {
			rows, err := db.ListNotificationChannels(ctx, dbgen.ListNotificationChannelsParams{
				AccountID: account, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			if err != nil {
				return nil, postgres.Classify(err)
			}
			return h.channels.Redacted(ctx, h.db.Tenant(account), account, rows)
		},
		at:   func(channel notify.Channel) keyset { return keyset{at: channel.CreatedAt, id: channel.ID} },
		item: toAPIChannel,
	})
	return apigen.ListNotificationChannels200JSONResponse{Items: items, NextCursor: next}, err
}

func (h notificationHandlers) GetNotificationChannel(ctx context.Context, req apigen.GetNotificationChannelRequestObject) (apigen.GetNotificationChannelResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	channel, err := h.channels.Get(ctx, h.db.Tenant(account), account, req.ID)
	if err != nil {
		return nil, err
	}
	return apigen.GetNotificationChannel200JSONResponse{
		Body: toAPIChannel(channel), Headers: apigen.GetNotificationChannel200ResponseHeaders{ETag: etag.Of(channel.Revision)},
	}, nil
}

func (h notificationHandlers) CreateNotificationChannel(ctx context.Context, req apigen.CreateNotificationChannelRequestObject) (apigen.CreateNotificationChannelResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	config, channelType := req.Body.Config, string(req.Body.ChannelType)
	patch := notify.ConfigPatch{WebhookURL: config.WebhookURL, URL: config.URL, Secret: config.Secret, To: config.To}
	create := idempotentOperation{
		operation: "createNotificationChannel", key: req.Params.IdempotencyKey,
		prepare: func(ctx context.Context) error { return h.channels.ValidateConfig(ctx, channelType, patch) },
	}
	return once(ctx, h.idempotency, h.db.Tenant(account), create,
		apigen.CreateNotificationChannelResponseObject.VisitCreateNotificationChannelResponse, func(db *postgres.DB) (apigen.CreateNotificationChannelResponseObject, error) {
			channel, err := h.channels.Create(ctx, db, account, req.Body.Name, channelType, patch, ptr.Or(req.Body.Enabled, true))
			if err != nil {
				return nil, err
			}
			return apigen.CreateNotificationChannel201JSONResponse{
				Body: toAPIChannel(channel), Headers: apigen.CreateNotificationChannel201ResponseHeaders{ETag: etag.Of(channel.Revision), Location: locationOf("/notification-channels/", channel.ID)},
			}, nil
		})
}

func (h notificationHandlers) UpdateNotificationChannel(ctx context.Context, req apigen.UpdateNotificationChannelRequestObject) (apigen.UpdateNotificationChannelResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	patch := notify.ChannelPatch{Name: req.Body.Name, Enabled: req.Body.Enabled}
	if config := req.Body.Config; config != nil {
		patch.Config = &notify.ConfigPatch{WebhookURL: config.WebhookURL, URL: config.URL, Secret: patchText(config.Secret), To: config.To}
	}
	channel, err := h.channels.Update(ctx, h.db.Tenant(account), ifMatchRef(ctx, req.ID, req.Params.IfMatch), patch)
	if err != nil {
		return nil, err
	}
	return apigen.UpdateNotificationChannel200JSONResponse{
		Body: toAPIChannel(channel), Headers: apigen.UpdateNotificationChannel200ResponseHeaders{ETag: etag.Of(channel.Revision)},
	}, nil
}

func (h notificationHandlers) DeleteNotificationChannel(ctx context.Context, req apigen.DeleteNotificationChannelRequestObject) (apigen.DeleteNotificationChannelResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return apigen.DeleteNotificationChannel204Response{}, h.channels.Delete(ctx, h.db.Tenant(account), ifMatchRef(ctx, req.ID, req.Params.IfMatch))
}

func (h notificationHandlers) TestNotificationChannel(ctx context.Context, req apigen.TestNotificationChannelRequestObject) (apigen.TestNotificationChannelResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	test, err := h.channels.Test(ctx, h.db.Tenant(account), account, req.ID)
	if err != nil {
		return nil, err
	}
	return apigen.TestNotificationChannel200JSONResponse{
		DeliveryID: test.ID, Delivered: test.Status == string(apigen.DeliveryStatusDelivered), ResponseStatus: toNullableInt(test.ResponseStatus),
		ErrorClass: toNullable(test.ErrorClass), LatencyMs: int(ptr.Or(test.LatencyMs, 0)),
	}, nil
}

func (h notificationHandlers) ResendRecipientConfirmations(ctx context.Context, req apigen.ResendRecipientConfirmationsRequestObject) (apigen.ResendRecipientConfirmationsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "resendRecipientConfirmations", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.ResendRecipientConfirmationsResponseObject.VisitResendRecipientConfirmationsResponse, func(db *postgres.DB) (apigen.ResendRecipientConfirmationsResponseObject, error) {
			channel, err := h.channels.ResendConfirmations(ctx, db, account, req.ID)
			if err != nil {
				return nil, err
			}
			return apigen.ResendRecipientConfirmations202JSONResponse(toAPIChannel(channel)), nil
		})
}

func (h notificationHandlers) ListNotificationPreferences(ctx context.Context, req apigen.ListNotificationPreferencesRequestObject) (apigen.ListNotificationPreferencesResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.NotificationPreference, apigen.NotificationPreference]{
		scope: listScope{account: account, operation: "listNotificationPreferences", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.NotificationPreference, error) {
			rows, err := db.ListNotificationPreferences(ctx, dbgen.ListNotificationPreferencesParams{
				AccountID: account, ChannelID: req.Params.ChannelID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.NotificationPreference) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPIPreference,
	})
	return apigen.ListNotificationPreferences200JSONResponse{Items: items, NextCursor: next}, err
}

func (h notificationHandlers) GetNotificationPreference(ctx context.Context, req apigen.GetNotificationPreferenceRequestObject) (apigen.GetNotificationPreferenceResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetNotificationPreference(ctx, dbgen.GetNotificationPreferenceParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetNotificationPreference200JSONResponse{
		Body: toAPIPreference(row), Headers: apigen.GetNotificationPreference200ResponseHeaders{ETag: etag.Of(row.Revision)},
	}, nil
}

func (h notificationHandlers) CreateNotificationPreference(ctx context.Context, req apigen.CreateNotificationPreferenceRequestObject) (apigen.CreateNotificationPreferenceResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	filters := ptr.Or(req.Body.Filters, apigen.NotificationFiltersInput{})
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "createNotificationPreference", key: req.Params.IdempotencyKey},
		apigen.CreateNotificationPreferenceResponseObject.VisitCreateNotificationPreferenceResponse, func(db *postgres.DB) (apigen.CreateNotificationPreferenceResponseObject, error) {
			row, err := notify.Preferences{DB: db, Max: h.quotas.Preferences}.Create(ctx, account, req.Body.ChannelID, string(req.Body.EventType),
				notify.Filters{Environments: filters.Environments, Products: filters.Products, Statuses: filters.Statuses})
			if err != nil {
				return nil, err
			}
			return apigen.CreateNotificationPreference201JSONResponse{
				Body: toAPIPreference(row), Headers: apigen.CreateNotificationPreference201ResponseHeaders{ETag: etag.Of(row.Revision), Location: locationOf("/notification-preferences/", row.ID)},
			}, nil
		})
}

func (h notificationHandlers) UpdateNotificationPreference(ctx context.Context, req apigen.UpdateNotificationPreferenceRequestObject) (apigen.UpdateNotificationPreferenceResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	filters := ptr.Or(req.Body.Filters, apigen.NotificationFiltersInput{})
	row, err := notify.Preferences{DB: h.db.Tenant(account)}.Update(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch), notify.PreferencePatch{
		EventType: (*string)(req.Body.EventType), Filters: notify.Filters{Environments: filters.Environments, Products: filters.Products, Statuses: filters.Statuses},
	})
	if err != nil {
		return nil, err
	}
	return apigen.UpdateNotificationPreference200JSONResponse{
		Body: toAPIPreference(row), Headers: apigen.UpdateNotificationPreference200ResponseHeaders{ETag: etag.Of(row.Revision)},
	}, nil
}

func (h notificationHandlers) DeleteNotificationPreference(ctx context.Context, req apigen.DeleteNotificationPreferenceRequestObject) (apigen.DeleteNotificationPreferenceResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return apigen.DeleteNotificationPreference204Response{}, notify.Preferences{DB: h.db.Tenant(account)}.Delete(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch))
}

func (h notificationHandlers) ListNotificationHistory(ctx context.Context, req apigen.ListNotificationHistoryRequestObject) (apigen.ListNotificationHistoryResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.DeliveryDetail, apigen.NotificationDelivery]{
		scope: listScope{account: account, operation: "listNotificationHistory", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.DeliveryDetail, error) {
			rows, err := db.ListNotificationHistory(ctx, dbgen.ListNotificationHistoryParams{
				AccountID: account, ChannelID: req.Params.ChannelID, Status: (*string)(req.Params.Status), EventType: req.Params.EventType,
				Since: req.Params.Since, Until: req.Params.Until, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.DeliveryDetail) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: toAPIDelivery,
	})
	return apigen.ListNotificationHistory200JSONResponse{Items: items, NextCursor: next}, err
}

func (h notificationHandlers) RedeliverNotification(ctx context.Context, req apigen.RedeliverNotificationRequestObject) (apigen.RedeliverNotificationResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "redeliverNotification", key: req.Params.IdempotencyKey, target: req.ID},
		apigen.RedeliverNotificationResponseObject.VisitRedeliverNotificationResponse, func(db *postgres.DB) (apigen.RedeliverNotificationResponseObject, error) {
			record, err := h.channels.Redeliver(ctx, db, account, req.ID)
			if err != nil {
				return nil, err
			}
			return apigen.RedeliverNotification202JSONResponse(toAPIDelivery(record)), nil
		})
}

func toAPIChannel(channel notify.Channel) apigen.NotificationChannel {
	recipients := make([]apigen.Recipient, len(channel.Recipients))
	for i, recipient := range channel.Recipients {
		recipients[i] = apigen.Recipient{Address: recipient.Address, RequestedAt: toNullableTime(recipient.RequestedAt), ConfirmedAt: toNullableTime(recipient.ConfirmedAt)}
	}
	return apigen.NotificationChannel{
		ID: channel.ID, Name: channel.Name, ChannelType: apigen.ChannelType(channel.ChannelType), Enabled: channel.Enabled,
		Config: apigen.ChannelConfig{
			WebhookURL: ptr.NonZero(channel.Config.WebhookURL), URL: ptr.NonZero(channel.Config.URL), Secret: ptr.NonZero(channel.Config.Secret), To: ptr.NonZero(channel.Config.To),
		},
		Recipients: recipients, DisabledReason: toNullable(channel.DisabledReason), DisabledAt: toNullableTime(channel.DisabledAt), FailingSince: toNullableTime(channel.FailingSince),
		CreatedAt: channel.CreatedAt.UTC(), UpdatedAt: channel.UpdatedAt.UTC(),
	}
}

func toAPIPreference(row dbgen.NotificationPreference) apigen.NotificationPreference {
	statuses := make([]apigen.Status, len(row.Statuses))
	for i, status := range row.Statuses {
		statuses[i] = apigen.Status(status)
	}
	return apigen.NotificationPreference{
		ID: row.ID, ChannelID: row.ChannelID, EventType: row.EventType,
		Filters:   apigen.NotificationFilters{Environments: row.Environments, Products: row.Products, Statuses: statuses},
		CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
}

func toAPIDelivery(row dbgen.DeliveryDetail) apigen.NotificationDelivery {
	return apigen.NotificationDelivery{
		ID: row.ID, ChannelID: row.ChannelID, ChannelName: row.ChannelName, ChannelType: apigen.ChannelType(row.ChannelType),
		EventType: row.EventType, EventID: toNullable(row.EventID), ObjectID: toNullable(row.SubjectID),
		Status: apigen.DeliveryStatus(row.Status), Attempts: int(row.TotalAttempts), ResponseStatus: toNullableInt(row.ResponseStatus),
		ErrorClass: toNullable(row.ErrorClass), LatencyMs: toNullableInt(row.LatencyMs), CreatedAt: row.CreatedAt.UTC(),
		LastAttemptAt: toNullableTime(row.LastAttemptAt), NextAttemptAt: toNullableTime(row.NextAttemptAt), FinishedAt: toNullableTime(row.FinishedAt),
	}
}
