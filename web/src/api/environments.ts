import {
  createEnvironment,
  deleteEnvironment,
  type Environment,
  type EnvironmentCreate,
  type EnvironmentPatch,
  type EnvironmentState,
  getEnvironment,
  listEnvironments,
  type ListEnvironmentsData,
  listEnvironmentState,
  updateEnvironment,
} from "@versioner/client";

import { byName } from "../lib/by-name";
import type { Search } from "../lib/search";
import { client } from "./client";
import { MAX_STATES } from "./environment-state";
import { ifMatch, listOptions, MAX_PAGE_SIZE, objectOptions, presentIn, type Revised } from "./lists";
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

/** What runs in an environment, by the name of the product: all of it as one page, since the server sorts it by identifier. */
export const stateOfEnvironmentQuery = (environment: string) =>
  listOptions(["environment-state", "of-environment", environment], async (_, signal) => {
    const items: EnvironmentState[] = [];
    const list = listEnvironmentState({ client, signal, query: { environment, limit: MAX_STATES } });
    for await (const state of list) items.push(state);
    items.sort((a, b) => byName(a.product_name, b.product_name));
    return { items, next_cursor: null };
  });
