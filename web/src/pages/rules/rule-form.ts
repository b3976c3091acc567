import type { DeploymentRule, DeploymentRulePatch, RuleType } from "@versioner/client";
import { queryOptions } from "@tanstack/react-query";

import { environmentNamesQuery, productNamesQuery } from "../../api/names";
import { changeRule, reloadRule, removeRule } from "../../api/rules";
import type { FormField, Values } from "../../forms/fields";
import type { Editing } from "../../forms/object-page";
import { localZone, zonesWith } from "./recurrence";
import { APPROVAL_TYPES, RULE_TYPES } from "../governance/texts";
import { CREATABLE, ENVIRONMENT_TYPES, GROUPS, MODE_CHOICES } from "./rule-texts";
import { draftsText, draftsWords, windowsOf } from "./window-drafts";
import { WindowsField } from "./windows-field";

const zoneNamesQuery = (text: string) =>
  queryOptions({
    queryKey: ["time-zones", text.trim()],
    staleTime: Infinity,
    queryFn: () => zonesWith(text).slice(0, 20),
  });

const approvals = (path: string): FormField => ({
  name: `${path}.required_approvals`,
  label: "Required approvals",
  kind: "checks",
  isRequired: true,
  choices: APPROVAL_TYPES,
});

const timeout = (path: string): FormField => ({
  name: `${path}.approval_timeout_hours`,
  label: "Hours for which an approval counts",
  kind: "number",
  isNullable: true,
  maxLength: 4,
  placeholder: "For any time",
});

/** The fields of what a rule of the type requires. */
const CONFIGS: Readonly<Record<RuleType, readonly FormField[]>> = {
  schedule: [
    {
      name: "schedule.timezone",
      label: "Time zone",
      kind: "name",
      isRequired: true,
      maxLength: 64,
      help: "The times of all windows are local times of this zone, such as Europe/Berlin or UTC.",
      suggestions: zoneNamesQuery,
    },
    {
      name: "schedule.windows",
      label: "Windows",
      kind: "custom",
      isRequired: true,
      custom: { Input: WindowsField, valueOf: windowsOf, wordsOf: draftsWords },
    },
  ],
  flow: [
    {
      name: "flow.prerequisites",
      label: "Environments that come first",
      kind: "names",
      isRequired: true,
      placeholder: "Such as staging",
      suggestions: environmentNamesQuery,
    },
    { name: "flow.strict_order", label: "In this order", kind: "check" },
    {
      name: "flow.min_soak_minutes",
      label: "Minutes in the last of them",
      kind: "number",
      isRequired: true,
      maxLength: 5,
      help: "For how long the version must have been the current one there, without interruption.",
    },
  ],
  concurrency: [
    {
      name: "concurrency.max_in_progress",
      label: "Deployments in progress at most",
      kind: "number",
      isRequired: true,
      maxLength: 3,
    },
    { name: "concurrency.per", label: "Counted per", kind: "choice", choices: GROUPS },
    {
      name: "concurrency.stale_after_minutes",
      label: "Minutes without an event until one does not count any more",
      kind: "number",
      isRequired: true,
      maxLength: 5,
    },
  ],
  deployment_request_required: [
    { ...approvals("deployment_request_required"), isRequired: false },
    timeout("deployment_request_required"),
    { name: "deployment_request_required.require_pre_steps", label: "Require the steps before it", kind: "check" },
  ],
  version_approval_required: [
    approvals("version_approval_required"),
    {
      name: "version_approval_required.environment",
      label: "Only approvals for the environment",
      kind: "name",
      isNullable: true,
      maxLength: 255,
      placeholder: "All, and that of the deployment",
      suggestions: environmentNamesQuery,
    },
    timeout("version_approval_required"),
  ],
};

const NAME: FormField = { name: "name", label: "Name", kind: "text", isRequired: true, maxLength: 100 };

const SCOPE: readonly FormField[] = [
  {
    name: "scope.products",
    label: "Products",
    kind: "names",
    suggestions: productNamesQuery,
    help: "Where the rule applies: names of products, which need not exist yet.",
  },
  { name: "scope.environments", label: "Environments", kind: "names", suggestions: environmentNamesQuery },
  {
    name: "scope.environment_types",
    label: "Types of environments",
    kind: "checks",
    choices: ENVIRONMENT_TYPES,
    help: "None: all.",
  },
];

const ROLLBACK: FormField = {
  name: "rollback",
  label: "Rollbacks",
  kind: "choice",
  choices: { allow: "Pass: a former version may return", enforce: "As other deployments" },
};

const REST: readonly FormField[] = [
  {
    name: "mode",
    label: "Mode",
    kind: "choice",
    choices: MODE_CHOICES,
    help: "The page of a draft shows its next windows and what it would have blocked, before you switch it on.",
  },
  {
    name: "priority",
    label: "Priority",
    kind: "number",
    isRequired: true,
    maxLength: 4,
    help: "0 to 1000. Of several violations, that with the lowest is shown first.",
  },
];

const fieldsOf = (type: RuleType): readonly FormField[] => [
  ...CONFIGS[type],
  ...SCOPE,
  ...(type === "concurrency" ? [] : [ROLLBACK]),
  ...REST,
];

const TYPE: FormField = {
  name: "rule_type",
  label: "Type",
  kind: "choice",
  choices: Object.fromEntries(CREATABLE.map((type) => [type, RULE_TYPES[type]])),
  help: "It cannot be changed later.",
};

/** The fields of a new rule, by its type. */
export const newRuleFields = (values: Values): readonly FormField[] => [
  NAME,
  TYPE,
  ...fieldsOf((values["rule_type"] ?? "schedule") as RuleType),
];

export const newRuleValues = (): Values => ({
  rule_type: "schedule",
  mode: "disabled",
  priority: "100",
  rollback: "allow",
  "schedule.timezone": localZone(),
  "flow.min_soak_minutes": "0",
  "concurrency.max_in_progress": "1",
  "concurrency.per": "product_environment",
  "concurrency.stale_after_minutes": "60",
});

const number = (value: number | null) => (value === null ? "" : String(value));

function configValues({
  schedule,
  flow,
  concurrency,
  deployment_request_required: request,
  version_approval_required: approval,
}: DeploymentRule): Values {
  if (schedule) return { "schedule.timezone": schedule.timezone, "schedule.windows": draftsText(schedule.windows) };
  if (flow) {
    return {
      "flow.prerequisites": flow.prerequisites.join("\n"),
      "flow.strict_order": flow.strict_order ? "on" : "",
      "flow.min_soak_minutes": number(flow.min_soak_minutes),
    };
  }
  if (concurrency) {
    return {
      "concurrency.max_in_progress": number(concurrency.max_in_progress),
      "concurrency.per": concurrency.per,
      "concurrency.stale_after_minutes": number(concurrency.stale_after_minutes),
    };
  }
  if (approval) {
    return {
      "version_approval_required.required_approvals": approval.required_approvals.join("\n"),
      "version_approval_required.environment": approval.environment ?? "",
      "version_approval_required.approval_timeout_hours": number(approval.approval_timeout_hours),
    };
  }
  return {
    "deployment_request_required.required_approvals": request?.required_approvals.join("\n") ?? "",
    "deployment_request_required.approval_timeout_hours": number(request?.approval_timeout_hours ?? null),
    "deployment_request_required.require_pre_steps": request?.require_pre_steps ? "on" : "",
  };
}

const valuesOf = (rule: DeploymentRule): Values => ({
  name: rule.name,
  ...configValues(rule),
  "scope.products": rule.scope.products.join("\n"),
  "scope.environments": rule.scope.environments.join("\n"),
  "scope.environment_types": rule.scope.environment_types.join("\n"),
  rollback: rule.rollback ?? "",
  mode: rule.mode,
  priority: number(rule.priority),
});

/** How rules of the type are changed and deleted. */
export const ruleEditing = (type: RuleType): Editing<DeploymentRule, DeploymentRulePatch> => ({
  fields: [NAME, ...fieldsOf(type)],
  valuesOf,
  load: reloadRule,
  change: changeRule,
  remove: removeRule,
  confirmation: "Delete the rule",
  consequence: " does not apply to deployments that start from now on. The violations that it has found stay.",
  isWide: true,
});
