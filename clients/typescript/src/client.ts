import { call, type Call, type ListCall, type Page } from "./call.js";
import { DEFAULT_RETRIES, type Retries } from "./retry.js";
import { type CallOptions, type OperationRequest, send, type Settings } from "./send.js";

/** Which credential an operation takes: events take an API key, everything else a session token (JWT). */
export type Scheme = "ApiKeyAuth" | "JWTAuth";

/**
 * An API key, a session token, or a function that returns one. It is asked before every try, and told which of the two
 * the operation takes; with nothing, the request goes without. After a 401 it is asked again, once in a call, and another
 * credential than before is tried.
 */
export type Credential = string | ((scheme: Scheme) => MaybeToken | Promise<MaybeToken>);

/** Identity providers' libraries return null for somebody who is signed out. */
type MaybeToken = string | null | undefined;

/** How a client is made. Durations are milliseconds, as everywhere in this package. */
export interface ClientOptions {
  /** The server's address; by default that of the environment, `VERSIONER_API_URL`. */
  baseUrl?: string | undefined;
  /** Who asks; by default the API key of the environment, `VERSIONER_API_KEY`. */
  credential?: Credential | undefined;
  /** How long to wait for the answer to each try; 30,000 unless given. */
  timeout?: number | undefined;
  /** How often requests are sent again, where that is safe. */
  retries?: Partial<Retries> | undefined;
  /** What to send with, for proxies, cookies or tests; by default the global `fetch`. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
}

type Method = <Responses, Errors>(request: OperationRequest) => RequestResult<Responses, Errors>;

/** What the operations are called with. They send through its methods; it keeps nothing open and needs no closing. */
export interface Client {
  readonly get: Method;
  readonly put: Method;
  readonly post: Method;
  readonly patch: Method;
  readonly delete: Method;
}

/** What an operation takes: `path`, `query`, `headers` and `body` as the specification has them, and the client. */
export type Options<Data extends { url: string }> = Omit<Data, "url"> & CallOptions & { client: Client };

/** What an operation returns: a promise of its answer; a list can be iterated over, too. */
export type RequestResult<Responses, _Errors> = Responses[keyof Responses] extends infer Data
  ? [Data] extends [Page<unknown>]
    ? ListCall<Data>
    : Call<Data>
  : never;

const DEFAULT_TIMEOUT = 30_000;

/** A client for the server at `baseUrl`, on behalf of whom the credential names. */
export function createClient(options: ClientOptions = {}): Client {
  const settings = settingsOf(options);
  const method = (verb: string): Method => {
    const start = (request: OperationRequest) =>
      call((page) => send<Page<unknown>>(settings, verb, { ...request, query: { ...request.query, ...page } }));
    // What comes is what the specification says of the operation; only the compiler has to be told.
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

/** Where the paths of the operations can be put at the end. */
function isAddress(text: string): boolean {
  if (!/^https?:\/\/[^/]/i.test(text) || /[?#]/.test(text)) return false;
  try {
    const { username, password } = new URL(text);
    return username === "" && password === "";
  } catch {
    return false;
  }
}
