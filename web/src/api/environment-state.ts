import { queryOptions } from "@tanstack/react-query";
import { type EnvironmentState, listDeployments, listEnvironmentState } from "@versioner/client";

import { live, liveInterval } from "../lib/live";
import { client } from "./client";

/** The largest page that the server permits. */
export const MAX_STATES = 1000;

/** How many requests for the matrix a page sends in 5 seconds: larger accounts are polled less often. */
const REQUESTS_PER_POLL = 5;

/** The rows of the matrix, one for each product and environment. */
export interface EnvironmentStates {
  rows: EnvironmentState[];
  /** Whether these are all rows; until the first load ends, they are those of the first page. */
  isComplete: boolean;
}

const environmentStateKey = ["environment-state"];

/** All rows of the matrix. The first load shows the first page at once: a large account has many. */
export const environmentStateQuery = queryOptions<EnvironmentStates>({
  ...live,
  refetchInterval: (query) => {
    const interval = liveInterval(query);
    const requests = (query.state.data?.rows.length ?? 0) / MAX_STATES;
    return interval && interval * Math.max(1, requests / REQUESTS_PER_POLL);
  },
  queryKey: environmentStateKey,
  queryFn: async ({ client: queries, signal }) => {
    const list = (cursor?: string) =>
      listEnvironmentState({ client, signal, query: { limit: MAX_STATES, ...(cursor && { cursor }) } });
    let page = await list();
    const rows = page.items;
    if (page.next_cursor !== null && !queries.getQueryData(environmentStateKey)) {
      queries.setQueryData<EnvironmentStates>(environmentStateKey, { rows: [...rows], isComplete: false });
    }
    while (page.next_cursor !== null) {
      page = await list(page.next_cursor);
      rows.push(...page.items);
    }
    return { rows, isComplete: true };
  },
});

/** The last deployments of a product in an environment, newest first. */
export const historyQuery = (product: string, environment: string) =>
  queryOptions({
    ...live,
    queryKey: ["deployments", "of", product, environment],
    queryFn: ({ signal }) => listDeployments({ client, signal, query: { product, environment, limit: 12 } }),
  });
