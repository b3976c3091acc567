import type { InfiniteData, UseInfiniteQueryResult } from "@tanstack/react-query";
import type { Page } from "@versioner/client";
import type { ReactNode } from "react";

import { POLLED_PAGES } from "../api/lists";
import { Button } from "./button";
import { OldData } from "./old-data";
import { ErrorState, InlineError, SkeletonRows } from "./states";

export interface ObjectListProps<Item> {
  query: UseInfiniteQueryResult<InfiniteData<Page<Item>>>;
  /** Shown when there is no object. */
  empty: ReactNode;
  /** The name of the objects, in the plural. */
  noun: string;
  /** How many rows the list has while it is loaded. */
  skeletons?: number;
  children: (items: readonly Item[], isPrevious: boolean) => ReactNode;
}

/** A list that is read page by page: its rows or the state that it is in, and the button for the next page. */
export function ObjectList<Item>({ query, empty, noun, skeletons = 10, children }: ObjectListProps<Item>) {
  const { data, error, refetch, isPlaceholderData } = query;
  if (!data)
    return error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <SkeletonRows rows={skeletons} />;
  const items = data.pages.flatMap((page) => page.items);
  const age = query.isFetchNextPageError ? null : <OldData query={query} />;
  if (items.length === 0) {
    return (
      <>
        {age}
        {empty}
      </>
    );
  }
  return (
    <>
      {age}
      {children(items, isPlaceholderData)}
      <Footer query={query} count={items.length} noun={noun} />
    </>
  );
}

function Footer<Item>({ query, count, noun }: { query: ObjectListProps<Item>["query"]; count: number; noun: string }) {
  const { data, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage, refetch, error } = query;
  const isPaused = (data?.pages.length ?? 0) > POLLED_PAGES;
  if (!hasNextPage && !isPaused) return null;
  return (
    <div className="flex flex-wrap items-center gap-3 border-t border-line px-4 py-3 text-sm text-muted">
      {hasNextPage ? (
        <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Load more
        </Button>
      ) : null}
      <span role="status">{`${count} ${noun} loaded`}</span>
      {isPaused ? (
        <span>
          A list of this length is not updated by itself.{" "}
          <button type="button" className="min-h-6 text-accent underline" onClick={() => void refetch()}>
            Update now
          </button>
        </span>
      ) : null}
      {isFetchNextPageError ? <InlineError error={error} /> : null}
    </div>
  );
}
