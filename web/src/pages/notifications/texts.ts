import type { DeliveryErrorCode, NotifiableEventType } from "@versioner/client";

export const TYPE_NAMES = { slack_webhook: "Slack", webhook: "Webhook", email: "E-mail" } as const;

/** Why a delivery failed or was cancelled. */
const ERRORS: Record<NonNullable<DeliveryErrorCode>, string> = {
  timeout: "no answer within 15 seconds",
  connection: "no connection to the receiver",
  dns: "the receiver's name does not resolve",
  tls: "the receiver's certificate was not accepted",
  forbidden_address: "the address is in a private network",
  invalid_address: "the address is invalid",
  http_3xx: "the receiver redirects, which is not followed",
  http_4xx: "the receiver refused the message",
  http_5xx: "the receiver had an error",
  gone: "the receiver no longer exists (410)",
  smtp_refused: "the mail server refused the message",
  smtp_temporary: "the mail server asked to try later",
  email_not_configured: "this server sends no e-mail",
  channel_disabled: "the channel is disabled",
  channel_deleted: "the channel was deleted",
  recipient_unconfirmed: "no recipient has confirmed",
  quota_exceeded: "the daily quota is used up",
};

export const errorText = (code: DeliveryErrorCode): string | null => (code ? (ERRORS[code] ?? code) : null);

const STATUSES = ["pending", "started", "completed", "failed", "aborted"] as const;

/** The types of events that a channel can get messages about. */
export const EVENT_TYPES: readonly NotifiableEventType[] = [
  ...STATUSES.map((status) => `deployment.${status}` as const),
  ...(["failed", "skipped", "overridden"] as const).map((result) => `deployment.preflight_${result}` as const),
  ...STATUSES.map((status) => `build.${status}` as const),
  ...(["approved", "rejected", "approval_revoked"] as const).map((decision) => `version.${decision}` as const),
  ...(["created", "confirmed", "used", "expired", "revoked"] as const).map((change) => `breakglass.${change}` as const),
  "rule.changed",
  ...(["created", "activated", "deactivated", "approved", "rejected", "completed", "cancelled"] as const).map(
    (change) => `dr.${change}` as const,
  ),
];

/** An event type in words: `deployment failed`. */
export const eventText = (type: string) =>
  type
    .replace("breakglass.", "break-glass grant ")
    .replace("dr.", "deployment request ")
    .replace(".", " ")
    .replaceAll("_", " ");

/** The statuses of deployments and builds that events of a type have. No filter has that of a blocked start. */
export function statusesOf(type: string): readonly string[] {
  const [kind = "", result = ""] = type.split(".");
  if (kind !== "deployment" && kind !== "build") return [];
  if (result === "preflight_failed") return [];
  return [result.startsWith("preflight_") ? "started" : result];
}
