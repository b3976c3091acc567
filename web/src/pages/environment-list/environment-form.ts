import type { Environment } from "@versioner/client";

import { type FormField, jsonText, type Values } from "../../lib/form";
import { TYPE_NAMES } from "../environments/matrix-data";

const NAME: FormField = {
  name: "name",
  label: "Name",
  kind: "text",
  isRequired: true,
  help: "Events name the environment so. After a change, events may still use the former name.",
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

export const EDIT_FIELDS: readonly FormField[] = [
  NAME,
  { name: "type", label: "Type", kind: "choice", choices: TYPE_NAMES },
  ...OTHERS,
];

export const environmentValues = ({ name, type, description, metadata }: Environment): Values => ({
  name,
  type,
  description,
  metadata: jsonText(metadata),
});
