import type { Release, ReleasePatch } from "@versioner/client";

import { changeRelease, reloadRelease, removeRelease } from "../../api/releases";
import { type FormField, jsonText } from "../../forms/fields";
import type { Editing } from "../../forms/object-page";

const EDIT_FIELDS: readonly FormField[] = [
  { name: "name", label: "Name", kind: "text", isRequired: true },
  { name: "description", label: "Description", kind: "area" },
  { name: "extra_metadata", label: "Metadata", kind: "json", help: "A JSON object, such as a link to the plan." },
];

export const NEW_FIELDS: readonly FormField[] = [
  ...EDIT_FIELDS.slice(0, 2),
  { name: "status", label: "Status", kind: "choice", choices: { draft: "Draft", in_progress: "In progress" } },
  ...EDIT_FIELDS.slice(2),
];

export const releaseEditing: Editing<Release, ReleasePatch> = {
  fields: EDIT_FIELDS,
  valuesOf: ({ name, description, extra_metadata }) => ({
    name,
    description,
    extra_metadata: jsonText(extra_metadata),
  }),
  load: reloadRelease,
  change: changeRelease,
  remove: removeRelease,
  confirmation: "Delete the release",
  consequence: " is removed; its versions and their deployments stay.",
};
