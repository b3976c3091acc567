import type { ValidationItem } from "./generated/types.gen.js";

/** What is known of the answer that an error comes from. */
export interface ErrorAnswer {
  status?: number;
  body?: unknown;
  headers?: Headers;
}

/** The server refused, failed, or could not be reached. */
export class VersionerError extends Error {
  override readonly name: string = "VersionerError";
  /** A sentence for people. */
  readonly detail: string;
  /** The status of the answer; undefined when there was none. */
  readonly status: number | undefined;
  /** The answer as it came: JSON where it is JSON, else text. */
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

  /** What to quote when asking for help. */
  get requestId(): string | undefined {
    return this.headers.get("X-Request-ID") ?? undefined;
  }

  /** After how many milliseconds the server asks to try again, where it says so. */
  get retryAfter(): number | undefined {
    return retryAfter(this.headers);
  }
}

/** No answer came: the server cannot be reached, or the connection broke. */
export class ConnectionFailed extends VersionerError {
  override readonly name: string = "ConnectionFailed";

  /** The system's word for why, such as `ECONNREFUSED`; browsers do not tell. */
  get code(): string | undefined {
    const reason = (this.cause as { cause?: { code?: unknown } } | undefined)?.cause?.code;
    return typeof reason === "string" ? reason : undefined;
  }
}

/** No answer came in time. */
export class TimedOut extends ConnectionFailed {
  override readonly name = "TimedOut";
}

/** The answer is not one that this API gives; something between here and the server may have made it. */
export class UnexpectedAnswer extends VersionerError {
  override readonly name = "UnexpectedAnswer";
}

/** 401: the credential is missing, unknown, expired or revoked. */
export class Unauthenticated extends VersionerError {
  override readonly name = "Unauthenticated";
}

/** 403: the credential is valid, but not for this. */
export class Forbidden extends VersionerError {
  override readonly name = "Forbidden";
}

/** 404: there is no such object in this account. */
export class NotFound extends VersionerError {
  override readonly name = "NotFound";
}

/** 409: it contradicts what is there. */
export class Conflict extends VersionerError {
  override readonly name = "Conflict";

  /** A word for programs, where there is one: `version_conflict` for a version that exists with another commit. */
  get reason(): string | undefined {
    return text(member(this.body, "error"));
  }
}

/** 409, 423 or 428 for a deployment that a policy forbids. */
export class Blocked extends VersionerError {
  override readonly name = "Blocked";

  /** Which policy, for programs: `NO_DEPLOY_WINDOW`, `APPROVAL_REQUIRED` and others. */
  get code(): string | undefined {
    return text(this.tell("code"));
  }

  /** When it may be allowed, in RFC 3339; undefined when time alone changes nothing. */
  get allowedFrom(): string | undefined {
    return text(this.tell("retry_after"));
  }

  /** What else the policy tells. */
  get details(): Readonly<Record<string, unknown>> {
    const details = this.tell("details");
    return typeof details === "object" && details !== null ? (details as Record<string, unknown>) : {};
  }

  /** What is told at both levels of the body. */
  private tell(name: string): unknown {
    return member(member(this.body, "detail"), name) ?? member(this.body, name);
  }
}

/** 412: the object has changed since the revision that `If-Match` names. */
export class PreconditionFailed extends VersionerError {
  override readonly name = "PreconditionFailed";
}

/** 422: the request has problems, all of which are listed. */
export class ValidationError extends VersionerError {
  override readonly name = "ValidationError";
  /** Where each problem is (`loc`), what it is for people (`msg`) and for programs (`type`). */
  readonly problems: readonly ValidationItem[];

  constructor(detail: string, answer: ErrorAnswer) {
    const problems = problemsOf(answer.body);
    super(problems.map(({ loc, msg }) => `${loc.join(".")}: ${msg}`).join("; ") || detail, answer);
    this.problems = problems;
  }
}

/** 429: too many requests; `retryAfter` says when there may be more. */
export class RateLimited extends VersionerError {
  override readonly name = "RateLimited";
}

/** 503: the server is restarting or overloaded; `retryAfter` says when to come back. */
export class Unavailable extends VersionerError {
  override readonly name = "Unavailable";
}

/** The error that an answer tells, which is any but a success. */
export function errorOf(answer: ErrorAnswer & { status: number; statusText: string }): VersionerError {
  const detail = detailOf(answer.body) ?? (answer.statusText || "the server gave no reason");
  return new (kindOf(answer.status, answer.body))(detail, answer);
}

function kindOf(status: number, body: unknown): typeof VersionerError | typeof ValidationError {
  if ([409, 423, 428].includes(status) && member(body, "error") === "deployment_blocked") return Blocked;
  switch (status) {
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

/** The sentence in an error's body, which lies one level deeper when a policy refused. */
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
