import { Forbidden, RateLimited, Unauthenticated } from "@versioner/client";

import { isAway } from "../api/query-client";
import { cx } from "../lib/cx";
import { requireSignIn } from "../lib/sign-in-state";
import { durationText } from "../lib/time";
import { useSeconds } from "../lib/use-seconds";
import { errorText } from "./states";

/** The part of a query's result that decides whether its data are old. */
interface Freshness {
  data: unknown;
  error: unknown;
  dataUpdatedAt: number;
}

/** Shown above the data of a view when they could not be read again: how old they are, why, and what helps. */
export function OldData({ query, className }: { query: Freshness; className?: string | undefined }) {
  const { data, error, dataUpdatedAt } = query;
  if (data === undefined || !error) return null;
  return (
    <p
      role="group"
      aria-label="Age of the data"
      className={cx("flex flex-wrap items-center gap-x-2 bg-warn-soft px-4 py-1.5 text-sm text-warn", className)}
    >
      <span aria-hidden="true">⚠</span>
      {/* The banner of the frame announces that the server is away. */}
      <span role={isAway(error) ? undefined : "status"}>{causeOf(error)}</span>
      <Age since={dataUpdatedAt} />
      {error instanceof Unauthenticated ? (
        <button type="button" className="min-h-6 font-medium underline" onClick={requireSignIn}>
          Sign in
        </button>
      ) : null}
    </p>
  );
}

/** It is not in the live region: screen readers would announce it each second. */
function Age({ since }: { since: number }) {
  return <span>{`These data are ${durationText(useSeconds() - since)} old.`}</span>;
}

function causeOf(error: unknown): string {
  if (isAway(error)) return "The server does not answer.";
  if (error instanceof Unauthenticated) return "Your session has ended.";
  if (error instanceof Forbidden) return "Your role may not view this any more.";
  if (error instanceof RateLimited) return "Too many requests: the page waits as long as the server asks.";
  return `This could not be updated: ${errorText(error)}`;
}
