/** Client of Versioner, the deployment tracking API. */
export type { Answer, Call, ListCall, Page } from "./call.js";
export { type Client, type ClientOptions, createClient, type Credential, type Options, type Scheme } from "./client.js";
export {
  Blocked,
  Conflict,
  ConnectionFailed,
  Forbidden,
  NotFound,
  NotModified,
  PreconditionFailed,
  RateLimited,
  TimedOut,
  Unauthenticated,
  Unavailable,
  UnexpectedAnswer,
  ValidationError,
  VersionerError,
} from "./errors.js";
export * from "./generated/sdk.gen.js";
export type * from "./generated/types.gen.js";
export type { Retries } from "./retry.js";
export type { CallOptions } from "./send.js";
export { createVersioner, type Versioner } from "./versioner.js";
