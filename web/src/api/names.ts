import { queryOptions } from "@tanstack/react-query";
import { listEnvironments, listProducts } from "@versioner/client";

import { client } from "./client";

const LIMIT = 20;

const query = (q: string) => ({ sort: "name" as const, limit: LIMIT, ...(q.trim() ? { q: q.trim() } : {}) });

/** The first names of products that contain the text. */
export const productNamesQuery = (text: string) =>
  queryOptions({
    queryKey: ["products", "names", text.trim()],
    staleTime: 60_000,
    queryFn: async ({ signal }) =>
      (await listProducts({ client, signal, query: query(text) })).items.map(({ name }) => name),
  });

/** The first names of environments that contain the text. */
export const environmentNamesQuery = (text: string) =>
  queryOptions({
    queryKey: ["environments", "names", text.trim()],
    staleTime: 60_000,
    queryFn: async ({ signal }) =>
      (await listEnvironments({ client, signal, query: query(text) })).items.map(({ name }) => name),
  });

const isNamed = (name: string) => (one: { name: string }) => one.name.toLowerCase() === name.trim().toLowerCase();

/** The identifier of the environment with the name, in any case; undefined if there is none. */
export async function environmentId(name: string): Promise<string | undefined> {
  return (await listEnvironments({ client, query: query(name) })).items.find(isNamed(name))?.id;
}

/** The identifier of the product with the name, in any case; undefined if there is none. */
export async function productId(name: string): Promise<string | undefined> {
  return (await listProducts({ client, query: query(name) })).items.find(isNamed(name))?.id;
}
