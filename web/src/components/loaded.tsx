import type { UseQueryResult } from "@tanstack/react-query";
import { NotFound, ValidationError } from "@versioner/client";
import type { ReactNode } from "react";

import { AppLink } from "./app-link";
import { OldData } from "./old-data";
import { Page, Panel } from "./page";
import { EmptyState, ErrorState, SkeletonRows } from "./states";

/** The page of one object: the object, or the state that it is in. `kind` names the object, `list` is the path of its list. */
export function Loaded<T>({
  query,
  kind,
  list,
  children,
}: {
  query: UseQueryResult<T>;
  kind: string;
  list: string;
  children: (data: T) => ReactNode;
}) {
  const { data, error, refetch } = query;
  if (error instanceof NotFound || error instanceof ValidationError) return <Absent kind={kind} list={list} />;
  if (data) {
    return (
      <>
        <OldData query={query} className="border-b border-line lg:px-6" />
        {children(data)}
      </>
    );
  }
  return (
    <Page title={kind}>
      <Panel>{error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <SkeletonRows rows={6} />}</Panel>
    </Page>
  );
}

function Absent({ kind, list }: { kind: string; list: string }) {
  return (
    <Page title={`${kind} not found`}>
      <Panel>
        <EmptyState title={`There is no ${kind.toLowerCase()} with this identifier`}>
          It may have been deleted, or belong to another account.{" "}
          <AppLink to={list} className="text-accent underline">
            Go to the list
          </AppLink>
        </EmptyState>
      </Panel>
    </Page>
  );
}

/** The link to the list above a page, and what follows it. */
export function Trail({ to, label, children }: { to: string; label: string; children?: ReactNode }) {
  return (
    <nav aria-label="Above this page" className="flex flex-wrap items-center gap-x-2">
      <AppLink to={to} className="inline-flex min-h-6 items-center text-accent hover:underline">
        {label}
      </AppLink>
      {children}
    </nav>
  );
}
