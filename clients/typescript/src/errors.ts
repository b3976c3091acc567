import type { ValidationItem } from "./generated/types.gen.js";

/** The parts of the answer that an error comes from. */
export interface ErrorAnswer {
  status?: number;
  body?: unknown;
  headers?: Headers;
}

/** A call failed: the server refused it, had an error, or could not be reached. */
export class VersionerError extends Error {
  override readonly name: string = "VersionerError";
  /** The message, for humans. */
  readonly detail: string;
  /** The status of the answer; undefined when there was none. */
  readonly status: number | undefined;
  /** The body of the answer: parsed if it is JSON, else text. */
  readonly body: unknown;
  /** The headers of the answer. */
  readonly headers: Headers;

  constructor(detail: string, answer: ErrorAnswer = {}, options?: { cause: unknown }) {
    const headers = answer.headers ?? new Headers();
    const id = headers.get("X-Request-ID");
    super(`${answer.status ? `${answer.status}: ` : ""}${detail}${id ? ` (request ${id})` : ""}`, options);
    this.detail = detail;
    this.status = answer.status;
    this.body = answer.body;
    this.headers = headers;
  }

  /** The ID of the request in the server's log. */
  get requestId(): string | undefined {
    return this.headers.get("X-Request-ID") ?? undefined;
  }

  /** The milliseconds to wait before a retry, if the server sent `Retry-After`. */
  get retryAfter(): number | undefined {
    return retryAfter(this.headers);
  }
}

/** There was no answer: the server cannot be reached, or the connection broke. */
export class ConnectionFailed extends VersionerError {
  override readonly name: string = "ConnectionFailed";

  /** The error code of the system, such as `ECONNREFUSED`; undefined in browsers. */
  get code(): string | undefined {
    const reason = (this.cause as { cause?: { code?: unknown } } | undefined)?.cause?.code;
    return typeof reason === "string" ? reason : undefined;
  }
}

/** There was no answer within the timeout. */
export class TimedOut extends ConnectionFailed {
  override readonly name = "TimedOut";
}

/** The answer does not conform to the API; a proxy may have sent it. */
export class UnexpectedAnswer extends VersionerError {
  override readonly name = "UnexpectedAnswer";
}

/** 304: the list has not changed since the answer whose `ETag` is in `If-None-Match`; keep what you have. */
export class NotModified extends VersionerError {
  override readonly name = "NotModified";
}

/** 401: the credential is missing, unknown, expired or revoked. */
export class Unauthenticated extends VersionerError {
  override readonly name = "Unauthenticated";
}

/** 403: the credential is valid, but does not permit the operation. */
export class Forbidden extends VersionerError {
  override readonly name = "Forbidden";
}

/** 404: the account has no such object. */
export class NotFound extends VersionerError {
  override readonly name = "NotFound";
}

/** 409: the request conflicts with the current state. */
export class Conflict extends VersionerError {
  override readonly name = "Conflict";

  /** The machine-readable reason, if any: `version_conflict` for a version that exists with another commit. */
  get reason(): string | undefined {
    return text(member(this.body, "error"));
  }
}

/** 409, 423 or 428: a policy forbids the deployment. */
export class Blocked extends VersionerError {
  override readonly name = "Blocked";

  /** The code of the policy: `NO_DEPLOY_WINDOW`, `APPROVAL_REQUIRED` and others. */
  get code(): string | undefined {
    return text(this.field("code"));
  }

  /** The time in RFC 3339 from which the policy may permit the deployment; undefined if it does not depend on time. */
  get allowedFrom(): string | undefined {
    return text(this.field("retry_after"));
  }

  /** Further members of the policy's answer. */
  get details(): Readonly<Record<string, unknown>> {
    const details = this.field("details");
    return typeof details === "object" && details !== null ? (details as Record<string, unknown>) : {};
  }

  /** A member of `detail`, or of the body itself. */
  private field(name: string): unknown {
    return member(member(this.body, "detail"), name) ?? member(this.body, name);
  }
}

/** 412: the object has changed since the revision that `If-Match` names. */
export class PreconditionFailed extends VersionerError {
  override readonly name = "PreconditionFailed";
}

/** 422: the request is invalid; `problems` lists every problem. */
export class ValidationError extends VersionerError {
  override readonly name = "ValidationError";
  /** The problems: location (`loc`), message for humans (`msg`) and machine-readable type (`type`). */
  readonly problems: readonly ValidationItem[];

  constructor(detail: string, answer: ErrorAnswer) {
    const problems = problemsOf(answer.body);
    super(problems.map(({ loc, msg }) => `${loc.join(".")}: ${msg}`).join("; ") || detail, answer);
    this.problems = problems;
  }
}

/** 429: too many requests; retry after `retryAfter` milliseconds. */
export class RateLimited extends VersionerError {
  override readonly name = "RateLimited";
}

/** 503: the server is restarting or overloaded; retry after `retryAfter` milliseconds. */
export class Unavailable extends VersionerError {
  override readonly name = "Unavailable";
}

/** The error for an answer that is no success. */
export function errorOf(answer: ErrorAnswer & { status: number; statusText: string }): VersionerError {
  const detail = detailOf(answer.body) ?? (answer.statusText || "the server gave no reason");
  return new (kindOf(answer.status, answer.body))(detail, answer);
}

function kindOf(status: number, body: unknown): typeof VersionerError | typeof ValidationError {
  if ([409, 423, 428].includes(status) && member(body, "error") === "deployment_blocked") return Blocked;
  switch (status) {
    case 304:
      return NotModified;
    case 401:
      return Unauthenticated;
    case 403:
      return Forbidden;
    case 404:
      return NotFound;
    case 409:
      return Conflict;
    case 412:
      return PreconditionFailed;
    case 422:
      return ValidationError;
    case 429:
      return RateLimited;
    case 503:
      return Unavailable;
    default:
      return status < 400 ? UnexpectedAnswer : VersionerError;
  }
}

/** The seconds or the date of a Retry-After header, as milliseconds from now. */
export function retryAfter(headers: Headers): number | undefined {
  const value = headers.get("Retry-After")?.trim() ?? "";
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = /^[A-Z][a-z]{2}, /.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** The message in an error's body, which is one level deeper if a policy refused the request. */
function detailOf(body: unknown): string | undefined {
  const detail = member(body, "detail");
  return text(detail) ?? text(member(detail, "message"));
}

function problemsOf(body: unknown): readonly ValidationItem[] {
  const problems = member(body, "detail");
  const isList = Array.isArray(problems) && problems.every((problem) => Array.isArray(member(problem, "loc")));
  return isList ? (problems as ValidationItem[]) : [];
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
