import type { Answer } from "./call.js";
import type { ClientOptions, Scheme } from "./client.js";
import { ConnectionFailed, errorOf, retryAfter, TimedOut, UnexpectedAnswer } from "./errors.js";
import { mayBeDone, mayRepeat, type Retries, waitBefore } from "./retry.js";

/** The version of this package, for the server's log. */
export const VERSION = "0.1.0";

/** Timers count milliseconds in 31 bits; what is longer is for ever. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** What all calls of a client have in common. */
export interface Settings {
  readonly baseUrl: string;
  readonly credential: ClientOptions["credential"];
  readonly timeout: number;
  readonly retries: Retries;
  readonly fetch: NonNullable<ClientOptions["fetch"]>;
}

/** What may be said of any single call. */
export interface CallOptions {
  /** Ends the call, whatever it is doing; it is then rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds to wait for the answer to each try, instead of what the client says. */
  timeout?: number | undefined;
}

/** An operation that is called: what the specification says of it, and what the caller does. */
export interface OperationRequest extends CallOptions {
  url: string;
  /** Absent where nobody is asked for a credential. */
  security?: readonly { key: Scheme; scheme: "bearer"; type: "http" }[];
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  headers?: Record<string, unknown>;
  body?: unknown;
}

interface Reply {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly text: string;
}

/** Sends a call until its outcome stands. Its Idempotency-Key is made once: a retry is the same request. */
export async function send<T>(settings: Settings, method: string, call: OperationRequest): Promise<Answer<T>> {
  const url = settings.baseUrl + pathOf(call) + queryOf(call);
  const headers = headersOf(method, call);
  const body = call.body === undefined ? null : JSON.stringify(call.body);
  const ask = () => attempt(settings, url, { method, headers, body, redirect: "manual" }, call);
  let isRenewed = false;
  let isDone = false;
  for (let retry = 0; ; retry++) {
    await authorize(headers, settings, call);
    let outcome = await ask();
    if (outcome.status === 401 && !isRenewed) {
      isRenewed = true;
      if (await renew(headers, settings, call)) outcome = await ask();
    }
    if (method === "DELETE" && isDone && outcome.status === 404) return done<T>(outcome.headers);
    const wait = mayRepeat(method, headers, outcome)
      ? waitBefore(retry, retryAfter(outcome.headers), settings.retries)
      : undefined;
    if (wait === undefined) return conclude<T>(outcome);
    isDone ||= mayBeDone(outcome);
    await sleep(wait, call.signal);
  }
}

/** The credential, which may be another one at each try. */
async function authorize(headers: Headers, settings: Settings, call: OperationRequest): Promise<void> {
  const scheme = call.security?.[0]?.key;
  if (scheme === undefined) return;
  const { credential } = settings;
  const value = typeof credential === "function" ? await unlessGivenUp(() => credential(scheme), call) : credential;
  const token = value?.trim();
  // What Headers say of a wrong value has the value in it, and errors are written to logs.
  if (token && !/^[!-~]+$/.test(token)) throw new TypeError("the credential holds characters that no credential has");
  if (token) headers.set("Authorization", `Bearer ${token}`);
  else headers.delete("Authorization");
}

/** Asks again for a credential that was refused, where somebody can be asked; tells whether there is another one. */
async function renew(headers: Headers, settings: Settings, call: OperationRequest): Promise<boolean> {
  if (typeof settings.credential !== "function") return false;
  const refused = headers.get("Authorization");
  await authorize(headers, settings, call);
  return headers.has("Authorization") && headers.get("Authorization") !== refused;
}

/** Something was deleted by an earlier try, whose answer was lost: there is nothing any more. */
function done<T>(headers: Headers): Answer<T> {
  return {
    data: undefined as T,
    status: 204,
    headers,
    etag: undefined,
    requestId: headers.get("X-Request-ID") ?? undefined,
  };
}

/** One try. A failure to get an answer is an outcome; that the caller gave up is not. */
async function attempt(
  settings: Settings,
  url: string,
  init: RequestInit,
  { signal, timeout = settings.timeout }: CallOptions,
): Promise<Reply | ConnectionFailed> {
  signal?.throwIfAborted();
  const { fetch, baseUrl } = settings;
  const cut = new AbortController();
  const giveUp = () => cut.abort(signal?.reason);
  signal?.addEventListener("abort", giveUp);
  const timer = timeout <= LONGEST_TIMER ? setTimeout(() => cut.abort(), timeout) : undefined;
  try {
    const response = await fetch(url, { ...init, signal: cut.signal });
    const { status, statusText, headers } = response;
    return { status, statusText, headers, text: await response.text() };
  } catch (cause) {
    signal?.throwIfAborted();
    if (cut.signal.aborted) return new TimedOut(`no answer from ${baseUrl} within ${timeout} ms`, {}, { cause });
    return new ConnectionFailed(`no answer from ${baseUrl}: ${reasonOf(cause)}`, {}, { cause });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}

/** What an outcome means, or its error. */
function conclude<T>(outcome: Reply | ConnectionFailed): Answer<T> {
  if (outcome instanceof ConnectionFailed) throw outcome;
  const { status, headers } = outcome;
  const [body, isJSON] = parse(outcome.text);
  if (status < 200 || status > 299) throw errorOf({ ...outcome, body });
  if (!isJSON && status !== 204) throw new UnexpectedAnswer("the answer is not JSON", { status, headers, body });
  return {
    data: body as T,
    status,
    headers,
    etag: headers.get("ETag") ?? undefined,
    requestId: headers.get("X-Request-ID") ?? undefined,
  };
}

function parse(text: string): [body: unknown, isJSON: boolean] {
  try {
    return [JSON.parse(text), true];
  } catch {
    return [text || undefined, false];
  }
}

/** What somebody else is asked for, unless the caller gives up before they answer. */
function unlessGivenUp<T>(ask: () => T | Promise<T>, { signal }: CallOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const giveUp = () => reject(signal?.reason as Error);
    signal?.addEventListener("abort", giveUp);
    const end = () => signal?.removeEventListener("abort", giveUp);
    Promise.resolve().then(ask).finally(end).then(resolve, reject);
  });
}

/** Waits, unless the caller gives up. */
function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener("abort", giveUp);
        resolve();
      },
      Math.min(milliseconds, LONGEST_TIMER),
    );
    if (signal?.aborted) giveUp();
    else signal?.addEventListener("abort", giveUp, { once: true });
  });
}

/** The path, with each value as one segment, whatever it holds. */
function pathOf({ url, path }: OperationRequest): string {
  return url.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(path?.[name] ?? "");
    if (["", ".", ".."].includes(value)) throw new TypeError(`${JSON.stringify(value)} identifies nothing (${name})`);
    return encodeURIComponent(value);
  });
}

function queryOf({ query = {} }: OperationRequest): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null) parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text && `?${text}`;
}

function headersOf(method: string, call: OperationRequest): Headers {
  const headers = new Headers({ Accept: "application/json" });
  for (const [name, value] of Object.entries(call.headers ?? {})) {
    if (value !== undefined && value !== null) headers.set(name, String(value));
  }
  if (method === "POST" && !headers.has("Idempotency-Key")) headers.set("Idempotency-Key", randomKey());
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  // A page that says who it is would have to ask other hosts for permission first.
  if (process?.versions?.node) headers.set("User-Agent", `versioner-client-typescript/${VERSION}`);
  return headers;
}

/** A random UUID would do as well, but pages that came over http cannot make one. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } };
  return cause?.message || cause?.code || message || String(error);
}
