import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { NotFound, type Page, ValidationError } from "@versioner/client";

import { liveInterval } from "../lib/live";
import type { Search } from "../lib/search";

/** How many objects a page of a list has. */
export const PAGE_SIZE = 50;

/** The largest page that the server permits. */
export const MAX_PAGE_SIZE = 200;

/** How many objects a column of a board has at first. */
export const COLUMN_SIZE = 20;

/** The columns of a board together are polled about as often as one list: the requests of an account are limited by the hour. */
export const COLUMN_PACE = 4;

/** How many loaded pages are polled: older ones do not change often, and each poll requests all of them. */
export const POLLED_PAGES = 3;

/** The parameters that have a value. The server checks them: an address may have any text. */
export function presentIn<Query>(search: Search): Query {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value)) as Query;
}

/**
 * The options of a list that is read page by page, by cursor. While its filters change, it shows the rows of before. `pace` multiplies the time
 * between its polls.
 */
export function listOptions<Item>(
  queryKey: readonly unknown[],
  load: (page: { cursor?: string }, signal: AbortSignal) => PromiseLike<Page<Item>>,
  pace = 1,
) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: async ({ pageParam, signal }): Promise<Page<Item>> =>
      load(pageParam === null ? {} : { cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    refetchIntervalInBackground: true,
    refetchInterval: (query) => {
      if ((query.state.data?.pages.length ?? 0) > POLLED_PAGES || isRefused(query.state.error)) return false;
      const interval = liveInterval(query);
      return interval && interval * pace;
    },
  });
}

/** The options of one object, which is polled until it turns out not to exist. */
export function objectOptions<T>(queryKey: readonly unknown[], load: (signal: AbortSignal) => PromiseLike<T>) {
  return queryOptions({
    queryKey,
    queryFn: async ({ signal }): Promise<T> => load(signal),
    refetchIntervalInBackground: true,
    refetchInterval: (query) => (isRefused(query.state.error) ? false : liveInterval(query)),
  });
}

/** Reports whether another attempt would fail as well. */
function isRefused(error: unknown): boolean {
  return error instanceof NotFound || error instanceof ValidationError;
}

/** An object with its revision, for `If-Match`. */
export interface Revised<T> {
  object: T;
  etag: string | undefined;
}

export const ifMatch = (etag: string | undefined) => (etag ? { headers: { "If-Match": etag } } : {});
