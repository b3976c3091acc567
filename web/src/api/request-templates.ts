import { queryOptions } from "@tanstack/react-query";
import {
  createDeploymentRequest,
  createDeploymentRequestTemplate,
  deleteDeploymentRequestTemplate,
  type DeploymentRequestCreate,
  type DeploymentRequestTemplate,
  type DeploymentRequestTemplateCreate,
  type DeploymentRequestTemplatePatch,
  getDeploymentRequestTemplate,
  listDeploymentRequestTemplates,
  listEnvironments,
  updateDeploymentRequestTemplate,
} from "@versioner/client";

import { client } from "./client";
import { ifMatch, MAX_PAGE_SIZE, objectOptions, type Revised } from "./lists";
import { queryClient } from "./query-client";
import { changing } from "./requests";

const KIND = "deployment-request-templates";

/** All templates of requests, newest first: an account has at most 100. */
export const requestTemplatesQuery = objectOptions(
  [KIND],
  async (signal) => (await listDeploymentRequestTemplates({ client, signal, query: { limit: MAX_PAGE_SIZE } })).items,
);

export const addRequest = (body: DeploymentRequestCreate) => changing(createDeploymentRequest({ client, body }));

/** A template with the names of its environments; those that do not exist any more are left out. */
export interface NamedTemplate {
  template: DeploymentRequestTemplate;
  environments: readonly string[];
}

export async function withNames(template: DeploymentRequestTemplate): Promise<NamedTemplate> {
  const names = await environmentNamesOf(template.environment_ids);
  return { template, environments: [...names.values()] };
}

export const namedTemplateQuery = (template: DeploymentRequestTemplate) =>
  queryOptions({
    queryKey: ["environments", "names of template", template.id, template.updated_at],
    queryFn: () => withNames(template),
  });

/** The names of the environments of all templates, by identifier. */
export const templateEnvironmentsQuery = (templates: readonly DeploymentRequestTemplate[]) => {
  const ids = [...new Set(templates.flatMap(({ environment_ids }) => environment_ids))].sort();
  return queryOptions({
    queryKey: ["environments", "names of templates", ids],
    staleTime: 60_000,
    queryFn: () => environmentNamesOf(ids),
  });
};

/** The names of the environments that exist, by identifier, in the order of names. */
async function environmentNamesOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  if (ids.length === 0) return names;
  for await (const { id, name } of listEnvironments({ client, query: { sort: "name", limit: MAX_PAGE_SIZE } })) {
    if (ids.includes(id)) names.set(id, name);
    if (names.size === ids.length) break;
  }
  return names;
}

export async function readRequestTemplate(id: string): Promise<Revised<NamedTemplate>> {
  const { data, etag } = await getDeploymentRequestTemplate({ client, path: { id } }).answer();
  return { object: await withNames(data), etag };
}

const reload = () => queryClient.invalidateQueries({ queryKey: [KIND] });

export async function addRequestTemplate(body: DeploymentRequestTemplateCreate): Promise<void> {
  await createDeploymentRequestTemplate({ client, body });
  await reload();
}

export async function changeRequestTemplate(
  id: string,
  body: DeploymentRequestTemplatePatch,
  etag: string | undefined,
): Promise<void> {
  await updateDeploymentRequestTemplate({ client, path: { id }, body, ...ifMatch(etag) });
  await reload();
}

export async function removeRequestTemplate(id: string, etag: string | undefined): Promise<void> {
  await deleteDeploymentRequestTemplate({ client, path: { id }, ...ifMatch(etag) });
  await reload();
}
