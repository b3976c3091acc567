import { RateLimited, Unauthenticated, Unavailable } from "@versioner/client";
import { useSyncExternalStore } from "react";

import { onClockChange, serverNow } from "./clock";

const VISIBLE = 5_000;
const HIDDEN = 30_000;
const HIDDEN_LIMIT = 600_000;

let hiddenSince: number | null = document.hidden ? Date.now() : null;
document.addEventListener("visibilitychange", () => {
  hiddenSince = document.hidden ? Date.now() : null;
});

/** The factor of all intervals, so that the requests of viewers spread. It is constant, since a query restarts its timer when the interval changes. */
const SPREAD = 0.9 + Math.random() * 0.2;

/**
 * The `refetchInterval` of a query that shows what happens now: 5 s, 30 s in a hidden tab, none after 10 min hidden, not before
 * the time of the server's Retry-After, and not while the user is signed out.
 */
export function liveInterval(query: { state: { error: unknown } }): number | false {
  const { error } = query.state;
  if (error instanceof Unauthenticated) return false;
  const requested = error instanceof RateLimited || error instanceof Unavailable ? (error.retryAfter ?? 0) : 0;
  if (hiddenSince !== null && Date.now() - hiddenSince > HIDDEN_LIMIT) return false;
  return Math.max(requested, SPREAD * (hiddenSince === null ? VISIBLE : HIDDEN));
}

/** Options of a query that is polled; spread them into `queryOptions`. */
export const live = { refetchInterval: liveInterval, refetchIntervalInBackground: true } as const;

/** How often relative times change; one timer serves all of them. */
const TICK = 15_000;

let now = serverNow();
let ticker: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  ticker ??= setInterval(() => {
    now = serverNow();
    for (const one of listeners) one();
  }, TICK);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(ticker);
    ticker = undefined;
  };
}

/**
 * The present time by the clock of the server. It renders again every 15 seconds, and at once when the clocks turn out to differ; what is rendered in
 * between, such as new data, has the time of that moment, so that what has just happened is not in the future.
 */
export function useNow(): number {
  useSyncExternalStore(subscribe, () => now);
  return serverNow();
}

onClockChange(() => {
  now = serverNow();
  for (const one of listeners) one();
});
