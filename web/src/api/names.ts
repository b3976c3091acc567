import { queryOptions } from "@tanstack/react-query";
import { listEnvironments, listProducts } from "@versioner/client";

import { client } from "./client";

const LIMIT = 20;

const query = (q: string) => ({ limit: LIMIT, ...(q.trim() ? { q: q.trim() } : {}) });

/** Names of products that contain the text. */
export const productNamesQuery = (text: string) =>
  queryOptions({
    queryKey: ["products", "names", text.trim()],
    staleTime: 60_000,
    queryFn: async ({ signal }) =>
      (await listProducts({ client, signal, query: query(text) })).items.map(({ name }) => name),
  });

/** Names of environments that contain the text. */
export const environmentNamesQuery = (text: string) =>
  queryOptions({
    queryKey: ["environments", "names", text.trim()],
    staleTime: 60_000,
    queryFn: async ({ signal }) =>
      (await listEnvironments({ client, signal, query: query(text) })).items.map(({ name }) => name),
  });
