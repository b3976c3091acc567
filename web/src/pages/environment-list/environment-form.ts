import type { Environment, EnvironmentPatch } from "@versioner/client";

import { changeEnvironment, reloadEnvironment, removeEnvironment } from "../../api/environments";
import { type FormField, jsonText } from "../../forms/fields";
import type { Editing } from "../../forms/object-page";
import { TYPE_NAMES } from "../environments/matrix-data";

const NAME: FormField = {
  name: "name",
  label: "Name",
  kind: "text",
  isRequired: true,
  help: "Events refer to the environment by this name. After a change they may still use the former one.",
};

const OTHERS: readonly FormField[] = [
  { name: "description", label: "Description", kind: "area" },
  { name: "metadata", label: "Metadata", kind: "json", help: "A JSON object, such as the region and the cluster." },
];

export const NEW_FIELDS: readonly FormField[] = [
  NAME,
  { name: "type", label: "Type", kind: "choice", choices: { "": "By the words in the name", ...TYPE_NAMES } },
  ...OTHERS,
];

export const environmentEditing: Editing<Environment, EnvironmentPatch> = {
  fields: [NAME, { name: "type", label: "Type", kind: "choice", choices: TYPE_NAMES }, ...OTHERS],
  valuesOf: ({ name, type, description, metadata }) => ({ name, type, description, metadata: jsonText(metadata) }),
  load: reloadEnvironment,
  change: changeEnvironment,
  remove: removeEnvironment,
  confirmation: "Delete the environment with its deployments",
  consequence:
    " and its deployments disappear from every page. The next event that names the environment creates a new one.",
};
