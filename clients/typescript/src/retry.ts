import { ConnectionFailed } from "./errors.js";

/** How often and how patiently a request is sent again. */
export interface Retries {
  /** How many times more, at most; 3 unless given. */
  limit: number;
  /** Milliseconds before the first retry, half of which is left to chance; each next one waits twice as long. 500. */
  firstWait: number;
  /** No wait is longer. A server that asks for more is not waited for: its error is thrown at once. 60,000. */
  longestWait: number;
}

export const DEFAULT_RETRIES: Retries = { limit: 3, firstWait: 500, longestWait: 60_000 };

/** The request was not looked at, so it may be sent again, whatever it is. */
const NOT_SERVED = [429, 503];
/** The server, or something before it, failed. Sending again is safe for requests that do the same when done twice. */
const FAILED = [500, 502, 504];
/** What Node says of a connection that was never made; browsers do not tell. */
const NEVER_MADE = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];

/** Milliseconds before a retry, which counts from 0; undefined when it shall not be. */
export function waitBefore(retry: number, asked: number | undefined, retries: Retries): number | undefined {
  if (retry >= retries.limit) return undefined;
  const chance = 0.5 + Math.random() / 2;
  if (asked === undefined) return Math.min(retries.firstWait * 2 ** retry, retries.longestWait) * chance;
  return asked > retries.longestWait ? undefined : asked + retries.firstWait * chance;
}

/** Whether what came of a request allows to send it again. */
export function mayRepeat(method: string, headers: Headers, outcome: { status: number } | ConnectionFailed): boolean {
  if (mayBeDone(outcome)) return repeatable(method, headers);
  return outcome instanceof ConnectionFailed || NOT_SERVED.includes(outcome.status);
}

/** Whether a request may have been carried out although it failed. */
export function mayBeDone(outcome: { status: number } | ConnectionFailed): boolean {
  if (outcome instanceof ConnectionFailed) return !NEVER_MADE.includes(outcome.code ?? "");
  return FAILED.includes(outcome.status);
}

/**
 * Whether doing a request twice is as good as once. A change with If-Match is not: were it done and the answer lost, it
 * would meet its own revision the second time. A DELETE that finds nothing the second time is done (send.ts).
 */
function repeatable(method: string, headers: Headers): boolean {
  if (method === "POST") return headers.has("Idempotency-Key");
  return method !== "PATCH" || !headers.has("If-Match");
}
