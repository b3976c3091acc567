import { queryOptions } from "@tanstack/react-query";
import { type EnvironmentState, listDeployments, listEnvironmentState } from "@versioner/client";

import { live } from "../lib/live";
import { client } from "./client";

/** The largest page that the server permits. */
const PAGE = 1000;

/** All rows of the matrix: one for each product and environment. */
export const environmentStateQuery = queryOptions({
  ...live,
  queryKey: ["environment-state"],
  queryFn: async ({ signal }) => {
    const rows: EnvironmentState[] = [];
    for await (const row of listEnvironmentState({ client, signal, query: { limit: PAGE } })) rows.push(row);
    return rows;
  },
});

/** The last deployments of a product in an environment, newest first. */
export const historyQuery = (product: string, environment: string) =>
  queryOptions({
    ...live,
    queryKey: ["deployments", "of", product, environment],
    queryFn: ({ signal }) => listDeployments({ client, signal, query: { product, environment, limit: 12 } }),
  });
