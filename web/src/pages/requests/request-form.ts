import type {
  ApprovalType,
  DeploymentRequest,
  DeploymentRequestCreate,
  DeploymentRequestPatch,
  DeploymentRequestSlotInput,
  DeploymentRequestStepInput,
  DeploymentRequestTemplate,
  DeploymentRequestTemplateCreate,
  DeploymentRequestTemplatePatch,
} from "@versioner/client";

import { environmentId, environmentNamesQuery } from "../../api/names";
import type { NamedTemplate } from "../../api/request-templates";
import { changeRequest, reloadRequest, removeRequest } from "../../api/requests";
import { FieldProblem, type FormField, type Values } from "../../forms/fields";
import type { Editing } from "../../forms/object-page";
import { APPROVAL_TYPES } from "../governance/texts";
import { stepsOf, stepsText, stepsWords } from "./step-drafts";
import { StepsField } from "./steps-field";

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

const STEPS: FormField = {
  name: "steps",
  label: "Steps",
  help: "What is to do by hand before and after the deployments, in this order.",
  kind: "custom",
  custom: { Input: StepsField, valueOf: stepsOf, wordsOf: stepsWords },
};

export const NEW_FIELDS: readonly FormField[] = [
  NAME,
  DESCRIPTION,
  { ...ENVIRONMENTS, help: "They can be added later: a draft needs one to be activated." },
  slots("required", "Required approvals", "The request is approved when each of them is given."),
  slots("optional", "Optional approvals", "They are asked for, and the request does not wait for them."),
  STEPS,
  GATE,
];

export const TEMPLATE_FIELDS: readonly FormField[] = [
  { ...NAME, help: "The name of the template; each request has its own." },
  { ...DESCRIPTION, label: "Description of the requests" },
  { ...ENVIRONMENTS, placeholder: "None" },
  slots("required", "Required approvals", "A request is approved when each of them is given."),
  slots("optional", "Optional approvals", "They are asked for, and a request does not wait for them."),
  STEPS,
  GATE,
];

/** The values of the form of a template. */
export const templateValues = ({ template, environments }: NamedTemplate): Values => ({
  name: template.name,
  description: template.description,
  environments: environments.join("\n"),
  required: typesIn(template, true).join("\n"),
  optional: typesIn(template, false).join("\n"),
  steps: stepsText(template.steps),
  gate: template.gate ? "on" : "",
});

/** The values of the form of a new request, copied from a template if there is one. */
export function newValues(from: NamedTemplate | null): Values {
  if (!from) return { gate: "on" };
  const { name: _, ...values } = templateValues(from);
  return values;
}

const typesIn = ({ approvals }: DeploymentRequestTemplate, isRequired: boolean) =>
  approvals.filter(({ required }) => required === isRequired).map((slot) => slot.approval_type);

/** What the forms of new requests and of templates have. */
export interface RequestValues {
  name: string;
  description?: string;
  environments?: string[];
  required?: ApprovalType[];
  optional?: ApprovalType[];
  steps?: DeploymentRequestStepInput[];
  gate?: boolean;
}

/** The body of a new request or template. */
export async function newBody(form: RequestValues): Promise<DeploymentRequestCreate & DeploymentRequestTemplateCreate> {
  checkTypes(form);
  const { environments, required = [], optional = [], steps = [], gate = false, ...texts } = form;
  const approvals = slotsOf(required, optional);
  const ids = environments ? { environment_ids: await environmentIds(environments) } : {};
  return { ...texts, ...ids, approvals, steps, gate };
}

/**
 * The changes of a template. Its approvals are in two fields of the form, and another user may have moved types since it was opened: if the user has
 * changed one field, the other one is as it is saved, without the types that the user has added to the first one.
 */
export async function templatePatch(
  { environments, required, optional, ...others }: Partial<RequestValues>,
  { template: saved }: NamedTemplate,
  form: RequestValues,
  { template: before }: NamedTemplate,
): Promise<DeploymentRequestTemplatePatch> {
  checkTypes(form);
  const changed = (): DeploymentRequestSlotInput[] => {
    if (required && optional) return slotsOf(required, optional);
    const isRequired = required !== undefined;
    const mine = required ?? optional ?? [];
    const other = without(typesIn(saved, !isRequired), without(mine, typesIn(before, isRequired)));
    return isRequired ? slotsOf(without(mine, other), other) : slotsOf(other, without(mine, other));
  };
  return {
    ...others,
    ...(environments ? { environment_ids: await environmentIds(environments) } : {}),
    ...(required || optional ? { approvals: changed() } : {}),
  };
}

const without = (types: readonly ApprovalType[], others: readonly ApprovalType[]) =>
  types.filter((type) => !others.includes(type));

/** Rejects a type in both fields. */
function checkTypes({ required = [], optional = [] }: RequestValues): void {
  const both = optional.find((type) => required.includes(type));
  if (both) throw new FieldProblem("optional", `${APPROVAL_TYPES[both]} is required already.`);
}

function slotsOf(required: readonly ApprovalType[], optional: readonly ApprovalType[]): DeploymentRequestSlotInput[] {
  return [
    ...required.map((approval_type) => ({ approval_type, required: true })),
    ...optional.map((approval_type) => ({ approval_type, required: false })),
  ];
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

/** How a request is changed and deleted: its environments, and what it blocks, while it is a draft. */
export const requestEditing = (status: DeploymentRequest["status"]): Editing<DeploymentRequest, RequestPatch> => ({
  fields: [NAME, DESCRIPTION, ...(status === "draft" ? [ENVIRONMENTS, GATE] : [])],
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
