import { ConnectionFailed } from "./errors.js";

/** Limits of the retries of a request; durations are milliseconds. */
export interface Retries {
  /** The maximum number of retries; the default is 3. */
  limit: number;
  /** The backoff before the first retry, half of it random; it doubles with each retry. The default is 500. */
  firstWait: number;
  /** The longest backoff. An answer whose `Retry-After` is longer is not retried. The default is 60,000. */
  longestWait: number;
}

export const DEFAULT_RETRIES: Retries = { limit: 3, firstWait: 500, longestWait: 60_000 };

/** The server did not process the request, so that every request may be retried. */
const NOT_SERVED = [429, 503];
/** The server, or a proxy before it, failed. Only idempotent requests may be retried. */
const FAILED = [500, 502, 504];
/** Node's error codes of failures to connect; browsers have none. */
const CONNECT_ERRORS = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];

/** The milliseconds before a retry, which counts from 0; undefined if there is no retry. */
export function waitBefore(retry: number, requested: number | undefined, retries: Retries): number | undefined {
  if (retry >= retries.limit) return undefined;
  const jitter = 0.5 + Math.random() / 2;
  if (requested === undefined) return Math.min(retries.firstWait * 2 ** retry, retries.longestWait) * jitter;
  return requested > retries.longestWait ? undefined : requested + retries.firstWait * jitter;
}

/** Whether the outcome of a request permits a retry. */
export function mayRepeat(method: string, headers: Headers, outcome: { status: number } | ConnectionFailed): boolean {
  if (mayBeDone(outcome)) return isIdempotent(method, headers);
  return outcome instanceof ConnectionFailed || NOT_SERVED.includes(outcome.status);
}

/** Whether the server may have executed a request although it failed. */
export function mayBeDone(outcome: { status: number } | ConnectionFailed): boolean {
  if (outcome instanceof ConnectionFailed) return !CONNECT_ERRORS.includes(outcome.code ?? "");
  return FAILED.includes(outcome.status);
}

/**
 * Whether executing a request twice has the effect of executing it once. A change with If-Match is not idempotent: if
 * its answer is lost, the second attempt fails on the revision that the first one made. A DELETE is: `send` takes the
 * 404 of a second attempt for success.
 */
function isIdempotent(method: string, headers: Headers): boolean {
  if (method === "POST") return headers.has("Idempotency-Key");
  return (method !== "PATCH" && method !== "PUT") || !headers.has("If-Match");
}
