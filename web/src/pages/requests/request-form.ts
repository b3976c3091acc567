import type {
  ApprovalType,
  DeploymentRequest,
  DeploymentRequestCreate,
  DeploymentRequestPatch,
  DeploymentRequestStepInput,
  DeploymentRequestTemplate,
} from "@versioner/client";

import { environmentId, environmentNamesQuery } from "../../api/names";
import { changeRequest, reloadRequest, removeRequest } from "../../api/requests";
import { FieldProblem, type FormField, type Values } from "../../forms/fields";
import type { Editing } from "../../forms/object-page";
import { APPROVAL_TYPES } from "../governance/texts";

const NAME: FormField = { name: "name", label: "Name", kind: "text", isRequired: true, maxLength: 255 };

const DESCRIPTION: FormField = { name: "description", label: "Description", kind: "area", maxLength: 4096 };

const ENVIRONMENTS: FormField = {
  name: "environments",
  label: "Environments",
  kind: "names",
  placeholder: "Such as production",
  suggestions: environmentNamesQuery,
  member: "environment_ids",
};

const GATE: FormField = {
  name: "gate",
  label: "Block the versions in the environments, without any rule, until the request is approved",
  kind: "check",
};

const slots = (name: string, label: string, help: string): FormField => ({
  name,
  label,
  help,
  kind: "checks",
  choices: APPROVAL_TYPES,
  member: "approvals",
});

const steps = (name: string, label: string): FormField => ({
  name,
  label,
  kind: "names",
  placeholder: "None",
  member: "steps",
});

export const NEW_FIELDS: readonly FormField[] = [
  NAME,
  DESCRIPTION,
  { ...ENVIRONMENTS, help: "They can be added later: a draft needs one to be activated." },
  slots("required", "Required approvals", "The request is approved when each of them is given."),
  slots("optional", "Optional approvals", "They are asked for, and the request does not wait for them."),
  steps("before", "Steps before the deployments"),
  steps("after", "Steps after the deployments"),
  GATE,
];

/** The values of the form of a new request, copied from a template if there is one. */
export function newValues(template: DeploymentRequestTemplate | null, environments: readonly string[]): Values {
  if (!template) return { gate: "on" };
  const typesOf = (isRequired: boolean) =>
    template.approvals.filter(({ required }) => required === isRequired).map((slot) => slot.approval_type);
  const titlesOf = (phase: "pre" | "post") =>
    template.steps
      .filter((step) => step.phase === phase)
      .sort((one, other) => one.position - other.position)
      .map(({ title }) => title);
  return {
    description: template.description,
    environments: environments.join("\n"),
    required: typesOf(true).join("\n"),
    optional: typesOf(false).join("\n"),
    before: titlesOf("pre").join("\n"),
    after: titlesOf("post").join("\n"),
    gate: template.gate ? "on" : "",
  };
}

/** What the form of a new request has. */
export interface NewRequestValues {
  name: string;
  description?: string;
  environments?: string[];
  required?: ApprovalType[];
  optional?: ApprovalType[];
  before?: string[];
  after?: string[];
  gate?: boolean;
}

/** The body of a new request; steps that the template has keep their description. */
export async function newBody(
  values: NewRequestValues,
  template: DeploymentRequestTemplate | null,
): Promise<DeploymentRequestCreate> {
  const {
    name,
    description,
    environments,
    required = [],
    optional = [],
    before = [],
    after = [],
    gate = false,
  } = values;
  const both = optional.find((type) => required.includes(type));
  if (both) throw new FieldProblem("optional", `${APPROVAL_TYPES[both]} is required already.`);
  const step =
    (phase: "pre" | "post") =>
    (title: string): DeploymentRequestStepInput => {
      const copied = template?.steps.find((one) => one.phase === phase && one.title === title);
      return { phase, title, ...(copied?.description ? { description: copied.description } : {}) };
    };
  return {
    name,
    ...(description ? { description } : {}),
    ...(environments ? { environment_ids: await environmentIds(environments) } : {}),
    approvals: [
      ...required.map((approval_type) => ({ approval_type, required: true })),
      ...optional.map((approval_type) => ({ approval_type, required: false })),
    ],
    steps: [...before.map(step("pre")), ...after.map(step("post"))],
    gate,
  };
}

/** The identifiers of the environments that the field has. */
async function environmentIds(names: readonly string[]): Promise<string[]> {
  const ids = await Promise.all(names.map(environmentId));
  return ids.map((id, index) => {
    if (!id) throw new FieldProblem(ENVIRONMENTS.name, `There is no environment with the name ${names[index]}.`);
    return id;
  });
}

interface RequestPatch extends Omit<DeploymentRequestPatch, "environment_ids"> {
  environments?: string[];
}

/** How a request is changed and deleted: its environments while it is a draft. */
export const requestEditing = (status: DeploymentRequest["status"]): Editing<DeploymentRequest, RequestPatch> => ({
  fields: [NAME, DESCRIPTION, ...(status === "draft" ? [ENVIRONMENTS] : []), GATE],
  valuesOf: ({ name, description, environments, gate }) => ({
    name,
    description,
    environments: environments.map((one) => one.name).join("\n"),
    gate: gate ? "on" : "",
  }),
  load: reloadRequest,
  async change(id, { environments, ...patch }, etag) {
    const moved = environments ? { environment_ids: await environmentIds(environments) } : {};
    await changeRequest(id, { ...patch, ...moved }, etag);
  },
  remove: removeRequest,
  confirmation: "Delete the request",
  consequence: " and its comments disappear. The versions that it names and their deployments stay.",
});
