import type { Release, ReleasePatch, ReleaseStatus } from "@versioner/client";

import { changeRelease, reloadRelease, removeRelease } from "../../api/releases";
import type { Tone } from "../../components/badge";
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

/** The columns of the board, in the order of the statuses. */
export const STATUSES: readonly ReleaseStatus[] = ["draft", "in_progress", "completed", "cancelled"];

export const STATUS_LABELS: Record<ReleaseStatus, { tone: Tone; glyph: string; word: string }> = {
  draft: { tone: "neutral", glyph: "○", word: "Draft" },
  in_progress: { tone: "busy", glyph: "◐", word: "In progress" },
  completed: { tone: "good", glyph: "✓", word: "Completed" },
  cancelled: { tone: "warn", glyph: "⊘", word: "Cancelled" },
};

/** The statuses that a release may change to; the server permits no others. */
export const MOVES: Record<ReleaseStatus, readonly ReleaseStatus[]> = {
  draft: ["in_progress", "cancelled"],
  in_progress: ["completed", "cancelled"],
  completed: [],
  cancelled: [],
};

/** The names of the moves, as actions. */
export const MOVE_LABELS: Record<ReleaseStatus, string> = {
  draft: "Draft",
  in_progress: "Start",
  completed: "Complete",
  cancelled: "Cancel the release",
};

/** Reports whether its versions and its status can still change. */
export const isOpen = (status: ReleaseStatus): boolean => MOVES[status].length > 0;
