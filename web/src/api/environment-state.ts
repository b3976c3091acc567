import { queryOptions } from "@tanstack/react-query";
import { type EnvironmentState, listDeployments, listEnvironmentState } from "@versioner/client";

import { live, liveInterval } from "../lib/live";
import { client } from "./client";

/** The largest page that the server permits. */
const PAGE = 1000;

/** How many requests for the matrix a page sends in 5 seconds: larger accounts are polled less often. */
const REQUESTS_PER_POLL = 5;

/** All rows of the matrix: one for each product and environment. */
export const environmentStateQuery = queryOptions<EnvironmentState[]>({
  ...live,
  refetchInterval: (query) => {
    const interval = liveInterval(query);
    const requests = (query.state.data?.length ?? 0) / PAGE;
    return interval && interval * Math.max(1, requests / REQUESTS_PER_POLL);
  },
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
