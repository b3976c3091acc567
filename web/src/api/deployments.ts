import { queryOptions } from "@tanstack/react-query";
import {
  type Deployment,
  getDeployment,
  listDeploymentEvents,
  listDeployments,
  type ListDeploymentsData,
} from "@versioner/client";

import { live } from "../lib/live";
import type { Search } from "../lib/search";
import { client } from "./client";
import { listOptions, MAX_PAGE_SIZE, objectOptions, PAGE_SIZE, presentIn } from "./lists";

type Query = NonNullable<ListDeploymentsData["query"]>;

/** The newest deployment of the account. */
export const firstDeploymentQuery = queryOptions({
  ...live,
  queryKey: ["deployments", "newest"],
  queryFn: ({ signal }) => listDeployments({ client, signal, query: { limit: 1 } }),
});

/** The filters of the list of deployments; the parameters of its page have the same names. */
export const DEPLOYMENT_FILTERS = ["product", "environment", "version", "status", "scm_sha", "since", "until"] as const;

export const deploymentsQuery = (filters: Search) =>
  listOptions(["deployments", "list", filters], (page, signal) =>
    listDeployments({ client, signal, query: { ...presentIn<Query>(filters), limit: PAGE_SIZE, ...page } }),
  );

export const deploymentQuery = (id: string) =>
  objectOptions(["deployments", id], (signal) => getDeployment({ client, signal, path: { id } }));

export const deploymentEventsQuery = (id: string) =>
  listOptions(["deployments", id, "events"], (page, signal) =>
    listDeploymentEvents({ client, signal, path: { id }, query: { limit: PAGE_SIZE, ...page } }),
  );

/** The deployments of a version, newest first. */
export const deploymentsOfVersionQuery = (version: string) =>
  listOptions(["deployments", "of-version", version], (page, signal) =>
    listDeployments({ client, signal, query: { version, limit: PAGE_SIZE, ...page } }),
  );

/** The deployments before and after one, of the same product and environment. */
export interface Neighbours {
  previous: Deployment | undefined;
  next: Deployment | undefined;
}

export const neighboursQuery = (deployment: Deployment) =>
  queryOptions({
    ...live,
    queryKey: ["deployments", deployment.id, "neighbours", deployment.occurred_at],
    queryFn: async ({ signal }): Promise<Neighbours> => {
      const [previous, next] = await Promise.all([previousOf(deployment, signal), nextOf(deployment, signal)]);
      return { previous, next };
    },
  });

const pairOf = ({ product_id, environment_id }: Deployment) => ({ product: product_id, environment: environment_id });

/** The list contains the deployment itself, as others may have its time. */
async function previousOf(deployment: Deployment, signal: AbortSignal): Promise<Deployment | undefined> {
  const until = new Date(Math.floor(Date.parse(deployment.occurred_at)) + 1).toISOString();
  const { items } = await listDeployments({ client, signal, query: { ...pairOf(deployment), until, limit: 20 } });
  return items[items.findIndex(({ id }) => id === deployment.id) + 1];
}

const HOUR = 3_600_000;

/** Lengths of time in which the next deployment is searched: the list is newest first, and the next one is its oldest. */
const WINDOWS = [6 * HOUR, 48 * HOUR, 14 * 24 * HOUR, 90 * 24 * HOUR, Number.POSITIVE_INFINITY];

async function nextOf(deployment: Deployment, signal: AbortSignal): Promise<Deployment | undefined> {
  const start = Date.parse(deployment.occurred_at);
  for (const window of WINDOWS) {
    const end = start + window;
    const until = end < Date.now() ? { until: new Date(end).toISOString() } : {};
    const query = { ...pairOf(deployment), since: deployment.occurred_at, ...until, limit: MAX_PAGE_SIZE };
    let newer: Deployment | undefined;
    for await (const item of listDeployments({ client, signal, query })) {
      if (item.id === deployment.id) break;
      newer = item;
    }
    if (newer || !until.until) return newer;
  }
  return undefined;
}
