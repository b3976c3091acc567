import { queryOptions } from "@tanstack/react-query";
import {
  createDeploymentTemplate,
  createVariable,
  deleteDeploymentTemplate,
  deleteVariable,
  type DeploymentTemplate,
  type DeploymentTemplateCreate,
  type DeploymentTemplatePatch,
  getDeploymentTemplate,
  getVariable,
  listDeploymentTemplates,
  listVariables,
  listVersions,
  renderDeploymentTemplate,
  updateDeploymentTemplate,
  updateVariable,
  type Variable,
  type VariableCreate,
  type VariablePatch,
} from "@versioner/client";

import { client } from "./client";
import { ifMatch, listOptions, MAX_PAGE_SIZE, PAGE_SIZE, type Revised } from "./lists";
import { queryClient } from "./query-client";

/** The deployment templates of the account, newest first. */
export const templatesQuery = listOptions<DeploymentTemplate>(["deployment-templates", "list"], (page, signal) =>
  listDeploymentTemplates({ client, signal, query: { limit: PAGE_SIZE, ...page } }),
);

/** The variables of the account and of its products, newest first. */
export const variablesQuery = listOptions<Variable>(["variables"], (page, signal) =>
  listVariables({ client, signal, query: { limit: PAGE_SIZE, ...page } }),
);

/** The enabled templates of a product, or the one for an environment: one environment has one template. */
export const buttonsQuery = (product: string, environment?: string) =>
  queryOptions({
    queryKey: ["deployment-templates", "buttons", product, environment ?? ""],
    staleTime: 60_000,
    queryFn: async ({ signal }) => {
      const query = { product, limit: MAX_PAGE_SIZE, ...(environment ? { environment } : {}) };
      return (await listDeploymentTemplates({ client, signal, query })).items.filter(({ enabled }) => enabled);
    },
  });

/** The URL of a template for a version and an environment. */
export const renderedQuery = (template: DeploymentTemplate, version_id: string, environment_id: string) =>
  queryOptions({
    queryKey: ["deployment-templates", "rendered", template.id, template.updated_at, version_id, environment_id],
    queryFn: async ({ signal }) =>
      (
        await renderDeploymentTemplate({
          client,
          signal,
          path: { id: template.id },
          body: { version_id, environment_id },
        })
      ).url,
  });

const MAX_VERSIONS = 20;

/** The newest versions of a product, to choose from. */
export const deployableVersionsQuery = (product: string) =>
  queryOptions({
    queryKey: ["versions", "deployable", product],
    staleTime: 60_000,
    queryFn: async ({ signal }) =>
      (await listVersions({ client, signal, query: { product, limit: MAX_VERSIONS } })).items,
  });

const templatesChanged = () => queryClient.invalidateQueries({ queryKey: ["deployment-templates"] });

/** Rendered URLs depend on the variables. */
const variablesChanged = async () => {
  await Promise.all([queryClient.invalidateQueries({ queryKey: ["variables"] }), templatesChanged()]);
};

export async function readTemplate(id: string): Promise<Revised<DeploymentTemplate>> {
  const { data, etag } = await getDeploymentTemplate({ client, path: { id } }).answer();
  return { object: data, etag };
}

export async function addTemplate(body: DeploymentTemplateCreate): Promise<void> {
  await createDeploymentTemplate({ client, body });
  await templatesChanged();
}

export async function changeTemplate(id: string, body: DeploymentTemplatePatch, etag: string | undefined) {
  await updateDeploymentTemplate({ client, path: { id }, body, ...ifMatch(etag) });
  await templatesChanged();
}

export async function removeTemplate(id: string): Promise<void> {
  await deleteDeploymentTemplate({ client, path: { id } });
  await templatesChanged();
}

export async function readVariable(id: string): Promise<Revised<Variable>> {
  const { data, etag } = await getVariable({ client, path: { id } }).answer();
  return { object: data, etag };
}

export async function addVariable(body: VariableCreate): Promise<void> {
  await createVariable({ client, body });
  await variablesChanged();
}

export async function changeVariable(id: string, body: VariablePatch, etag: string | undefined): Promise<void> {
  await updateVariable({ client, path: { id }, body, ...ifMatch(etag) });
  await variablesChanged();
}

export async function removeVariable(id: string): Promise<void> {
  await deleteVariable({ client, path: { id } });
  await variablesChanged();
}
