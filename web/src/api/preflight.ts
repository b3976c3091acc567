import { queryOptions } from "@tanstack/react-query";
import { listVersions, preflight, type PreflightRequest } from "@versioner/client";

import { client } from "./client";

/** Asks whether a deployment may start. */
export const askPreflight = (body: PreflightRequest) => preflight({ client, body });

const LIMIT = 20;

/** The newest versions of a product, to choose from. */
export const versionChoicesQuery = (product: string) =>
  queryOptions({
    queryKey: ["versions", "choices", product],
    staleTime: 60_000,
    queryFn: async ({ signal }) =>
      (await listVersions({ client, signal, query: { product, limit: LIMIT } })).items.map(({ version }) => version),
  });
