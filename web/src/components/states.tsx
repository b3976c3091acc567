import type { UseQueryResult } from "@tanstack/react-query";
import { Unauthenticated, ValidationError, type ValidationItem, VersionerError } from "@versioner/client";
import type { ReactNode } from "react";

import { isAway } from "../api/query-client";
import { cx } from "../lib/cx";
import { Button } from "./button";
import { CopyButton } from "./copy-button";
import { OldData } from "./old-data";

/** Shown in place of a list without objects: what it would contain, and what to do. */
export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="mx-auto flex max-w-prose flex-col items-center gap-1 px-4 py-8 text-center">
      <h2 className="text-lg font-semibold text-balance">{title}</h2>
      {children ? <div className="text-balance text-muted">{children}</div> : null}
    </div>
  );
}

/** The message of a failure for users; of a ValidationError without some of its problems, or null if there is no other. */
export function errorText(error: unknown, except: readonly ValidationItem[] = []): string | null {
  if (isAway(error)) return "The server does not answer, or is overloaded. The page tries again by itself.";
  if (error instanceof Unauthenticated) return "The session has ended. Sign in, and try again.";
  if (error instanceof ValidationError && error.problems.length > 0) {
    const others = error.problems.filter((problem) => !except.includes(problem));
    return others.map(({ loc, msg }) => `${loc.slice(1).join(".")}: ${msg}`).join("; ") || null;
  }
  if (error instanceof VersionerError) return error.detail;
  return error instanceof Error ? error.message : String(error);
}

/** A failure, with the identifier of the request for the operator and a way to try again. */
export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const requestId = error instanceof VersionerError ? error.requestId : undefined;
  return (
    <div role="alert" className="mx-auto flex max-w-prose flex-col items-center gap-3 px-4 py-12 text-center">
      <h2 className="text-lg font-semibold">This could not be loaded</h2>
      <p className="text-muted">{errorText(error)}</p>
      {requestId ? (
        <p className="flex items-center gap-1 text-sm text-muted">
          Request <code className="font-mono break-all">{requestId}</code>{" "}
          <CopyButton text={requestId} label="Copy the identifier" iconOnly />
        </p>
      ) : null}
      {onRetry ? <Button onClick={onRetry}>Try again</Button> : null}
    </div>
  );
}

/** A failure of a form or an action, beside its button; `except` has the problems that are shown elsewhere. */
export function InlineError({ error, except }: { error: unknown; except?: readonly ValidationItem[] | undefined }) {
  const text = error ? errorText(error, except) : null;
  if (text === null) return null;
  const requestId = error instanceof VersionerError ? error.requestId : undefined;
  return (
    <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
      {text}
      {requestId ? <span className="block font-mono text-xs break-all">Request {requestId}</span> : null}
    </p>
  );
}

/** A grey box of the size of what is being loaded. */
export function Skeleton({ className }: { className?: string }) {
  return <span aria-hidden="true" className={cx("block animate-pulse rounded bg-raised", className)} />;
}

/** Rows of the height of a table's rows, while it is loaded. */
export function SkeletonRows({ rows = 8 }: { rows?: number }) {
  return (
    <div role="status" aria-label="Loading" className="divide-y divide-line">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="flex h-10 items-center gap-6 px-3">
          <Skeleton className="h-3 w-40" />
          <Skeleton className="h-3 w-24" />
          <Skeleton className="h-3 grow" />
        </div>
      ))}
    </div>
  );
}

/** What `children` return for the data of a query, or the state that it is in. */
export function WhenLoaded<T>({
  query,
  skeletons,
  children,
}: {
  query: UseQueryResult<T, unknown>;
  /** How many rows the data have about. */
  skeletons: number;
  children: (data: T) => ReactNode;
}) {
  const { data, error, refetch } = query;
  if (data !== undefined) {
    return (
      <>
        <OldData query={query} />
        {children(data)}
      </>
    );
  }
  return error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <SkeletonRows rows={skeletons} />;
}
