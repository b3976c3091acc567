import { queryOptions } from "@tanstack/react-query";
import {
  type Deployment,
  getDeployment,
  getDeploymentNeighbours,
  listDeploymentEvents,
  listDeployments,
  type ListDeploymentsData,
} from "@versioner/client";

import { live } from "../lib/live";
import type { Search } from "../lib/search";
import { client } from "./client";
import { listOptions, objectOptions, PAGE_SIZE, presentIn } from "./lists";

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
  previous: Deployment | null;
  next: Deployment | null;
}

export const neighboursQuery = (id: string) =>
  queryOptions({
    ...live,
    queryKey: ["deployments", id, "neighbours"],
    queryFn: async ({ signal }): Promise<Neighbours> => {
      const ids = await getDeploymentNeighbours({ client, signal, path: { id } });
      const read = (other: string | null) => (other ? getDeployment({ client, signal, path: { id: other } }) : null);
      const [previous, next] = await Promise.all([read(ids.previous_deployment_id), read(ids.next_deployment_id)]);
      return { previous, next };
    },
  });
