import { call, type Call, type ListCall, type Page } from "./call.js";
import { DEFAULT_RETRIES, type Retries } from "./retry.js";
import { type CallOptions, type OperationRequest, send, type Settings } from "./send.js";

/** Which credential an operation takes: events take an API key, everything else a session token (JWT). */
export type Scheme = "ApiKeyAuth" | "JWTAuth";

/**
 * An API key, a session token, or a function that returns one. The function is called before every attempt, with the
 * scheme of the operation; without a result, the request has no credential. After the first 401 of a call it is called
 * again, and the request is repeated if the credential has changed.
 */
export type Credential = string | ((scheme: Scheme) => MaybeToken | Promise<MaybeToken>);

/** Identity providers' libraries return null for a user who is signed out. */
type MaybeToken = string | null | undefined;

/** The options of a client. Durations are milliseconds, as everywhere in this package. */
export interface ClientOptions {
  /** The server's address; the default is the environment variable `VERSIONER_API_URL`. */
  baseUrl?: string | undefined;
  /** The credential; the default is the environment variable `VERSIONER_API_KEY`. */
  credential?: Credential | undefined;
  /** How long to wait for the answer to each attempt; the default is 30,000. */
  timeout?: number | undefined;
  /** How often requests are retried, where that is safe. */
  retries?: Partial<Retries> | undefined;
  /** The function that sends requests, for proxies, cookies or tests; the default is the global `fetch`. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
}

type Method = <Responses, Errors>(request: OperationRequest) => RequestResult<Responses, Errors>;

/** The client that operations send with. It holds no connection and needs no closing. */
export interface Client {
  readonly get: Method;
  readonly put: Method;
  readonly post: Method;
  readonly patch: Method;
  readonly delete: Method;
}

/** The options of an operation: `path`, `query`, `headers` and `body` as specified, and the client. */
export type Options<Data extends { url: string }> = Omit<Data, "url"> &
  ("headers" extends keyof Data ? unknown : { headers?: Record<string, never> }) &
  CallOptions & { client: Client };

/** The result of an operation: a promise of its answer; a list can be iterated over, too. */
export type RequestResult<Responses, _Errors> = Responses[keyof Responses] extends infer Data
  ? [Data] extends [Page<unknown>]
    ? ListCall<Data>
    : Call<Data>
  : never;

const DEFAULT_TIMEOUT = 30_000;

/** Returns a client for the server at `baseUrl`. */
export function createClient(options: ClientOptions = {}): Client {
  const settings = settingsOf(options);
  const method = (verb: string): Method => {
    const start = (request: OperationRequest) =>
      call((page) => send<Page<unknown>>(settings, verb, { ...request, query: { ...request.query, ...page } }));
    // The server returns the type that the specification declares, which the compiler cannot check.
    return start as unknown as Method;
  };
  return {
    get: method("GET"),
    put: method("PUT"),
    post: method("POST"),
    patch: method("PATCH"),
    delete: method("DELETE"),
  };
}

function settingsOf(options: ClientOptions): Settings {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const address = options.baseUrl ?? process?.env?.["VERSIONER_API_URL"] ?? "";
  if (!isAddress(address)) {
    throw new TypeError(
      "give the server's address, http(s)://…, as baseUrl or in VERSIONER_API_URL: without a password, a query or a fragment",
    );
  }
  return {
    baseUrl: address.replace(/\/+$/, ""),
    credential: options.credential ?? process?.env?.["VERSIONER_API_KEY"],
    timeout: options.timeout ?? DEFAULT_TIMEOUT,
    retries: { ...DEFAULT_RETRIES, ...options.retries },
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
  };
}

/** Whether the paths of the operations can be appended to the address. */
function isAddress(text: string): boolean {
  if (!/^https?:\/\/[^/]/i.test(text) || /[?#]/.test(text)) return false;
  try {
    const { username, password } = new URL(text);
    return username === "" && password === "";
  } catch {
    return false;
  }
}
