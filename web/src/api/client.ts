import { createClient } from "@versioner/client";

import { observeServerTime } from "../lib/clock";

/** The address of the server: the dashboard is at app/ below it. */
export const serverURL = new URL("..", document.baseURI).href.replace(/\/$/, "");

/** How many answers are kept for If-None-Match: the lists that an open page polls, and those of a few pages before. */
const KEPT_ANSWERS = 64;

interface KeptAnswer {
  etag: string;
  text: string;
  headers: Headers;
}

const kept = new Map<string, KeptAnswer>();

async function timedFetch(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  observeServerTime(response.headers.get("Date"));
  return response;
}

/** Sends with If-None-Match and answers a 304 from memory, so that an unchanged list costs no transfer. */
async function conditionalFetch(url: string, init: RequestInit): Promise<Response> {
  const options: RequestInit = { ...init, credentials: "same-origin" };
  if (init.method !== "GET") return timedFetch(url, options);
  const headers = new Headers(init.headers);
  const before = kept.get(url);
  if (before) headers.set("If-None-Match", before.etag);
  const response = await timedFetch(url, { ...options, headers });
  if (before && response.status === 304) return new Response(before.text, { status: 200, headers: before.headers });
  const etag = response.headers.get("ETag");
  kept.delete(url);
  if (!response.ok || !etag) return response;
  const text = await response.text();
  kept.set(url, { etag, text, headers: response.headers });
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT_ANSWERS) break;
    kept.delete(oldest);
  }
  return new Response(text, { status: response.status, statusText: response.statusText, headers: response.headers });
}

/** Forgets all answers: after another user has signed in, none of them applies. */
export function forgetAnswers(): void {
  kept.clear();
}

/**
 * The client of every request of the dashboard. The session cookie authenticates it, so it has no credential. TanStack Query
 * decides on retries, and the banner shows that the server is away.
 */
export const client = createClient({
  baseUrl: serverURL,
  fetch: conditionalFetch,
  retries: { limit: 0 },
  timeout: 15_000,
});
