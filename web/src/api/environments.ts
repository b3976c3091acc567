import {
  createEnvironment,
  deleteEnvironment,
  type Environment,
  type EnvironmentCreate,
  type EnvironmentPatch,
  getEnvironment,
  listEnvironments,
  type ListEnvironmentsData,
  listEnvironmentState,
  updateEnvironment,
} from "@versioner/client";

import type { Search } from "../lib/search";
import { client } from "./client";
import { ifMatch, listOptions, MAX_PAGE_SIZE, objectOptions, PAGE_SIZE, presentIn, type Revised } from "./lists";
import { queryClient } from "./query-client";

type Query = NonNullable<ListEnvironmentsData["query"]>;

export const environmentsQuery = (filters: Search) =>
  listOptions(["environments", "list", filters], (page, signal) =>
    listEnvironments({
      client,
      signal,
      query: { ...presentIn<Query>(filters), sort: "name", limit: MAX_PAGE_SIZE, ...page },
    }),
  );

export const environmentQuery = (id: string) =>
  objectOptions(["environments", id], async (signal): Promise<Revised<Environment>> => {
    const { data, etag } = await getEnvironment({ client, signal, path: { id } }).answer();
    return { object: data, etag };
  });

export const reloadEnvironment = (id: string) => queryClient.fetchQuery({ ...environmentQuery(id), staleTime: 0 });

export const addEnvironment = (body: EnvironmentCreate) => createEnvironment({ client, body });

export async function changeEnvironment(id: string, body: EnvironmentPatch, etag: string | undefined): Promise<void> {
  await updateEnvironment({ client, path: { id }, body, ...ifMatch(etag) });
  await queryClient.invalidateQueries({ queryKey: ["environments"] });
}

export const removeEnvironment = (id: string, etag: string | undefined) =>
  deleteEnvironment({ client, path: { id }, ...ifMatch(etag) });

/** What runs in an environment, page by page. */
export const stateOfEnvironmentQuery = (environment: string) =>
  listOptions(["environment-state", "of-environment", environment], (page, signal) =>
    listEnvironmentState({ client, signal, query: { environment, limit: PAGE_SIZE, ...page } }),
  );
