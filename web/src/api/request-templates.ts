import { queryOptions } from "@tanstack/react-query";
import {
  createDeploymentRequest,
  type DeploymentRequestCreate,
  listDeploymentRequestTemplates,
  listEnvironments,
} from "@versioner/client";

import { client } from "./client";
import { MAX_PAGE_SIZE } from "./lists";
import { changing } from "./requests";

/** All templates of requests: an account has at most 100. */
export const requestTemplatesQuery = queryOptions({
  queryKey: ["deployment-request-templates"],
  queryFn: async ({ signal }) =>
    (await listDeploymentRequestTemplates({ client, signal, query: { limit: MAX_PAGE_SIZE } })).items,
});

export const addRequest = (body: DeploymentRequestCreate) => changing(createDeploymentRequest({ client, body }));

/** The names of the environments, by name; those that do not exist any more are left out. */
export async function environmentNamesOf(ids: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  if (ids.length === 0) return names;
  for await (const { id, name } of listEnvironments({ client, query: { sort: "name", limit: MAX_PAGE_SIZE } })) {
    if (ids.includes(id)) names.push(name);
    if (names.length === ids.length) break;
  }
  return names;
}
