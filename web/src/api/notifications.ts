import {
  type ChannelConfigPatch,
  createNotificationChannel,
  createNotificationPreference,
  deleteNotificationChannel,
  deleteNotificationPreference,
  getNotificationChannel,
  getNotificationPreference,
  listNotificationChannels,
  listNotificationHistory,
  listNotificationPreferences,
  type NotificationChannel,
  type NotificationChannelCreate,
  type NotificationDelivery,
  type NotificationPreference,
  type NotificationPreferenceCreate,
  type NotificationPreferencePatch,
  redeliverNotification,
  resendRecipientConfirmations,
  testNotificationChannel,
  updateNotificationChannel,
  updateNotificationPreference,
} from "@versioner/client";
import { queryOptions } from "@tanstack/react-query";

import { live } from "../lib/live";
import type { Search } from "../lib/search";
import { client } from "./client";
import { ifMatch, listOptions, MAX_PAGE_SIZE, PAGE_SIZE, presentIn, type Revised } from "./lists";

/** All channels of the account, newest first. */
export const channelsQuery = queryOptions({
  ...live,
  queryKey: ["notification-channels"],
  queryFn: async ({ signal }) => {
    const channels: NotificationChannel[] = [];
    for await (const one of listNotificationChannels({ client, signal, query: { limit: MAX_PAGE_SIZE } }))
      channels.push(one);
    return channels;
  },
});

export async function loadChannel(id: string): Promise<Revised<NotificationChannel>> {
  const { data, etag } = await getNotificationChannel({ client, path: { id } }).answer();
  return { object: data, etag };
}

export const createChannel = (body: NotificationChannelCreate) => createNotificationChannel({ client, body });

export const updateChannel = (
  id: string,
  body: { name?: string; enabled?: boolean; config?: ChannelConfigPatch },
  etag?: string,
) => updateNotificationChannel({ client, path: { id }, body, ...ifMatch(etag) });

export const deleteChannel = (id: string) => deleteNotificationChannel({ client, path: { id } });

/** Sends a test message; the answer comes after that of the receiver, which has 15 seconds. */
export const testChannel = (id: string) => testNotificationChannel({ client, path: { id }, timeout: 20_000 });

export const resendConfirmations = (id: string) => resendRecipientConfirmations({ client, path: { id } });

/** The preferences of the account or of one channel, newest first. */
export const preferencesQuery = (channel: string | undefined) =>
  listOptions<NotificationPreference>(["notification-preferences", channel ?? ""], (page, signal) =>
    listNotificationPreferences({
      client,
      signal,
      query: { limit: PAGE_SIZE, ...(channel ? { channel_id: channel } : {}), ...page },
    }),
  );

export async function loadPreference(id: string): Promise<Revised<NotificationPreference>> {
  const { data, etag } = await getNotificationPreference({ client, path: { id } }).answer();
  return { object: data, etag };
}

export const createPreference = (body: NotificationPreferenceCreate) => createNotificationPreference({ client, body });

export const updatePreference = (id: string, body: NotificationPreferencePatch, etag: string | undefined) =>
  updateNotificationPreference({ client, path: { id }, body, ...ifMatch(etag) });

export const deletePreference = (id: string) => deleteNotificationPreference({ client, path: { id } });

export const HISTORY_FILTERS = ["channel_id", "status", "event_type", "since", "until"] as const;

type HistoryFilters = NonNullable<Parameters<typeof listNotificationHistory>[0]["query"]>;

/** The deliveries of the last 90 days, newest first. */
export const historyQuery = (filters: Search) =>
  listOptions<NotificationDelivery>(["notification-history", filters], (page, signal) =>
    listNotificationHistory({
      client,
      signal,
      query: { limit: PAGE_SIZE, ...presentIn<HistoryFilters>(filters), ...page },
    }),
  );

export const redeliver = (id: string) => redeliverNotification({ client, path: { id } });
