import type { Answer } from "./call.js";
import type { ClientOptions, Scheme } from "./client.js";
import { ConnectionFailed, errorOf, retryAfter, TimedOut, UnexpectedAnswer } from "./errors.js";
import { mayBeDone, mayRepeat, type Retries, waitBefore } from "./retry.js";

/** The version of this package, for the server's log. */
export const VERSION = "0.1.0";

/** Timers count milliseconds in 31 bits; a longer timeout is unlimited. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The settings of a client. */
export interface Settings {
  readonly baseUrl: string;
  readonly credential: ClientOptions["credential"];
  readonly timeout: number;
  readonly retries: Retries;
  readonly fetch: NonNullable<ClientOptions["fetch"]>;
}

/** The options of a single call. */
export interface CallOptions {
  /** Ends the call at any time; it then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds to wait for the answer to each attempt, instead of the client's timeout. */
  timeout?: number | undefined;
}

/** A call of an operation: its path and security from the specification, its values from the caller. */
export interface OperationRequest extends CallOptions {
  url: string;
  /** Absent if the operation needs no credential. */
  security?: readonly { key: Scheme; scheme: "bearer"; type: "http" }[];
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  headers?: Record<string, unknown>;
  body?: unknown;
  /** Null for a body that is a text. */
  bodySerializer?: null;
}

interface Reply {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly text: string;
}

/** Sends a request until its outcome is final. All attempts have the same Idempotency-Key. */
export async function send<T>(settings: Settings, method: string, call: OperationRequest): Promise<Answer<T>> {
  const url = settings.baseUrl + pathOf(call) + queryOf(call);
  const headers = headersOf(method, call);
  const body = bodyOf(call);
  const fetchOnce = () => attempt(settings, url, { method, headers, body, redirect: "manual" }, call);
  let isRenewed = false;
  let mayBeDeleted = false;
  for (let retry = 0; ; retry++) {
    await authorize(headers, settings, call);
    let outcome = await fetchOnce();
    if (outcome.status === 401 && !isRenewed) {
      isRenewed = true;
      if (await renew(headers, settings, call)) outcome = await fetchOnce();
    }
    if (method === "DELETE" && mayBeDeleted && outcome.status === 404) return noContent<T>(outcome.headers);
    const wait = mayRepeat(method, headers, outcome)
      ? waitBefore(retry, retryAfter(outcome.headers), settings.retries)
      : undefined;
    if (wait === undefined) return conclude<T>(outcome);
    mayBeDeleted ||= mayBeDone(outcome);
    await sleep(wait, call.signal);
  }
}

/** The body as sent: a text, such as a calendar, as it is, and an object as JSON. */
function bodyOf({ body }: OperationRequest): string | null {
  if (body === undefined) return null;
  return typeof body === "string" ? body : JSON.stringify(body);
}

/** Sets the credential, which may differ between attempts. */
async function authorize(headers: Headers, settings: Settings, call: OperationRequest): Promise<void> {
  const scheme = call.security?.[0]?.key;
  if (scheme === undefined) return;
  const { credential } = settings;
  const value = typeof credential === "function" ? await unlessAborted(() => credential(scheme), call) : credential;
  const token = value?.trim();
  // The error of Headers for an invalid value contains the value, and errors are logged.
  if (token && !/^[!-~]+$/.test(token)) throw new TypeError("the credential contains invalid characters");
  if (token) headers.set("Authorization", `Bearer ${token}`);
  else headers.delete("Authorization");
}

/** Calls the credential function again after a 401. Reports whether it returned another credential. */
async function renew(headers: Headers, settings: Settings, call: OperationRequest): Promise<boolean> {
  if (typeof settings.credential !== "function") return false;
  const refused = headers.get("Authorization");
  await authorize(headers, settings, call);
  return headers.has("Authorization") && headers.get("Authorization") !== refused;
}

/** The answer to a DELETE that an earlier attempt, whose answer was lost, has executed. */
function noContent<T>(headers: Headers): Answer<T> {
  return {
    data: undefined as T,
    status: 204,
    headers,
    etag: undefined,
    requestId: headers.get("X-Request-ID") ?? undefined,
  };
}

/** Makes one attempt. A failure to get an answer is an outcome; an abort by the caller is thrown. */
async function attempt(
  settings: Settings,
  url: string,
  init: RequestInit,
  { signal, timeout = settings.timeout }: CallOptions,
): Promise<Reply | ConnectionFailed> {
  signal?.throwIfAborted();
  const { fetch, baseUrl } = settings;
  const cut = new AbortController();
  const onAbort = () => cut.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort);
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
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Returns the answer in an outcome, or throws its error. */
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

/** Calls a function of the user, and rejects if the call is aborted before the function returns. */
function unlessAborted<T>(get: () => T | Promise<T>, { signal }: CallOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = () => reject(signal?.reason as Error);
    signal?.addEventListener("abort", onAbort);
    const end = () => signal?.removeEventListener("abort", onAbort);
    Promise.resolve().then(get).finally(end).then(resolve, reject);
  });
}

/** Waits, and rejects if the call is aborted before the time has passed. */
function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      },
      Math.min(milliseconds, LONGEST_TIMER),
    );
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** The path, with each value escaped as one segment. */
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
  // In browsers the header would cause a CORS preflight request.
  if (process?.versions?.node) headers.set("User-Agent", `versioner-client-typescript/${VERSION}`);
  return headers;
}

/** `crypto.randomUUID` is missing in pages that were loaded over http. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } };
  return cause?.message || cause?.code || message || String(error);
}
