import type { DeploymentRequest, DeploymentRequestApproval, DeploymentRequestStep } from "@versioner/client";

import type { RequestStatus, Transition } from "../../api/requests";
import type { Tone } from "../../components/badge";
import { APPROVAL_TYPES } from "../governance/texts";

interface Look {
  tone: Tone;
  glyph: string;
  word: string;
}

export const STATUSES: Readonly<Record<RequestStatus, Look>> = {
  draft: { tone: "neutral", glyph: "○", word: "draft" },
  in_progress: { tone: "busy", glyph: "◐", word: "in progress" },
  approved: { tone: "good", glyph: "✓", word: "approved" },
  rejected: { tone: "bad", glyph: "✕", word: "rejected" },
  completed: { tone: "good", glyph: "✓", word: "completed" },
  cancelled: { tone: "neutral", glyph: "⊘", word: "cancelled" },
};

export const SLOT_STATUSES: Readonly<Record<DeploymentRequestApproval["status"], Look>> = {
  pending: { tone: "neutral", glyph: "○", word: "open" },
  approved: { tone: "good", glyph: "✓", word: "approved" },
  rejected: { tone: "bad", glyph: "✕", word: "rejected" },
};

export const PHASES: Readonly<Record<DeploymentRequestStep["phase"], string>> = {
  pre: "Before the deployments",
  post: "After the deployments",
};

/** Reports whether a request with the status can still change. */
export const isOpen = (status: RequestStatus) => status !== "completed" && status !== "cancelled";

/** What can be done to a request, by its status. Cancelling is the last: it cannot be undone. */
export const TRANSITIONS: Readonly<Record<RequestStatus, readonly Transition[]>> = {
  draft: ["activate", "cancel"],
  in_progress: ["deactivate", "cancel"],
  approved: ["complete", "deactivate", "cancel"],
  rejected: ["deactivate", "cancel"],
  completed: [],
  cancelled: [],
};

export const TRANSITION_TEXTS: Readonly<Record<Transition, { action: string; consequence: string }>> = {
  activate: {
    action: "Activate",
    consequence:
      " asks for its approvals. Its versions, environments, required approvals and first steps are fixed then.",
  },
  deactivate: {
    action: "Back to draft",
    consequence: " becomes a draft again, and can be changed. All decisions about it are void.",
  },
  cancel: {
    action: "Cancel request",
    consequence: " ends: it blocks and permits nothing any more. This cannot be undone.",
  },
  complete: {
    action: "Complete",
    consequence: " ends. It completes by itself when all versions are deployed everywhere and the last steps are done.",
  },
};

/** The names of types of approvals, such as "QA and Security". */
export const typesText = (types: DeploymentRequest["open_approvals"]) =>
  types.map((type) => APPROVAL_TYPES[type]).join(", ");

/** The types of the open approvals of a request. */
export const openTypesText = ({ open_approvals, open_optional_approvals }: DeploymentRequest) =>
  [
    ...open_approvals.map((type) => APPROVAL_TYPES[type]),
    ...open_optional_approvals.map((type) => `${APPROVAL_TYPES[type]} (optional)`),
  ].join(", ");

export const count = (number: number, one: string, many: string) => `${number} ${number === 1 ? one : many}`;

/** What a request waits for, a line each; empty if nothing. */
export function openItems(request: DeploymentRequest): string[] {
  const { status, environments, version_count, open_approvals, open_pre_steps, open_post_steps } = request;
  const items: string[] = [];
  if (!isOpen(status)) return items;
  if (status === "rejected")
    return ["A required approval is rejected: it is reset, or the request becomes a draft again."];
  if (status === "draft") {
    if (version_count === 0) items.push("It has no version: add one to activate it.");
    if (environments.length === 0) items.push("It has no environment: add one to activate it.");
    if (items.length === 0) items.push("It is a draft: activate it to ask for its approvals.");
  }
  if (open_approvals.length > 0) {
    items.push(`Required approvals that are open: ${typesText(open_approvals)}`);
  }
  if (open_pre_steps > 0)
    items.push(`Before the deployments: ${count(open_pre_steps, "step is", "steps are")} not done`);
  if (status === "approved" && open_post_steps > 0) {
    items.push(`After the deployments: ${count(open_post_steps, "step is", "steps are")} not done`);
  }
  return items;
}

const VERBS: Readonly<Record<string, string>> = {
  create: "created the request",
  update: "changed the request",
  activate: "activated the request",
  deactivate: "made the request a draft again",
  cancel: "cancelled the request",
  complete: "completed the request",
  approve: "approved",
  reject: "rejected",
  reset: "reset the decision about",
  add_version: "added the version",
  remove_version: "removed the version",
  add_slot: "added the approval",
  remove_slot: "removed the approval",
  add_step: "added the step",
  remove_step: "removed the step",
  complete_step: "completed the step",
  reopen_step: "reopened the step",
  comment: "commented",
};

const SLOT_ACTIONS = ["approve", "reject", "reset", "add_slot", "remove_slot"];

/** What has happened to a request; actions that this page does not know are shown as they are. */
export const verbOf = (action: string) => VERBS[action] ?? action.replaceAll("_", " ");

/** The subject of an action: a type of approvals by its name, others as they are. */
export function subjectOf(action: string, subject: string): string {
  return SLOT_ACTIONS.includes(action) ? (APPROVAL_TYPES[subject as keyof typeof APPROVAL_TYPES] ?? subject) : subject;
}
