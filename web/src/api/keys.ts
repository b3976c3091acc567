import { queryOptions } from "@tanstack/react-query";
import {
  type APIKey,
  type APIKeyCreate,
  createAPIKey,
  getAPIKey,
  listAPIKeys,
  revokeAPIKey,
  rotateAPIKey,
  updateAPIKey,
} from "@versioner/client";

import { live } from "../lib/live";
import { client } from "./client";
import { ifMatch, MAX_PAGE_SIZE, type Revised } from "./lists";

/** All API keys of the account, newest first. */
export const keysQuery = queryOptions({
  ...live,
  queryKey: ["api-keys"],
  queryFn: async ({ signal }) => {
    const keys: APIKey[] = [];
    for await (const key of listAPIKeys({ client, signal, query: { limit: MAX_PAGE_SIZE } })) keys.push(key);
    return keys;
  },
});

/** Reads a key with its revision. */
export async function loadKey(id: string): Promise<Revised<APIKey>> {
  const { data, etag } = await getAPIKey({ client, path: { id } }).answer();
  return { object: data, etag };
}

/** Creates an API key. The answer is the only one that has its secret. */
export const createKey = (body: APIKeyCreate) => createAPIKey({ client, body });

export const updateKey = (id: string, body: { name?: string; description?: string }, etag: string | undefined) =>
  updateAPIKey({ client, path: { id }, body, ...ifMatch(etag) });

/** Creates the successor of a key. The answer is the only one that has its secret. */
export const rotateKey = (id: string, grace_period_hours: number) =>
  rotateAPIKey({ client, path: { id }, body: { grace_period_hours } });

export const revokeKey = (id: string) => revokeAPIKey({ client, path: { id } });
