import type { DeploymentRequestStepInput, DeploymentRequestTemplate } from "@versioner/client";

import { PHASES } from "./request-texts";

type Step = DeploymentRequestTemplate["steps"][number];

/** A step as its form has it. */
export interface StepDraft {
  /** Identifies the step while its position changes. */
  key: string;
  phase: Step["phase"];
  title: string;
  description: string;
}

/** The text of a form's field that has the drafts. */
export const textOf = (drafts: readonly StepDraft[]) => (drafts.length === 0 ? "" : JSON.stringify(drafts));

export const draftsOf = (text: string): StepDraft[] => (text === "" ? [] : (JSON.parse(text) as StepDraft[]));

/** The text of a form's field that has the steps: those before the deployments first. */
export function stepsText(steps: readonly Step[]): string {
  const ordered = (["pre", "post"] as const).flatMap((phase) =>
    steps.filter((step) => step.phase === phase).sort((one, other) => one.position - other.position),
  );
  return textOf(
    ordered.map(({ phase, title, description }, index) => ({ key: String(index), phase, title, description })),
  );
}

/** The steps that the server gets. */
export const stepsOf = (text: string): DeploymentRequestStepInput[] =>
  draftsOf(text).map(({ phase, title, description }) => ({ phase, title, ...(description ? { description } : {}) }));

/** The steps in words, a line each. */
export const stepsWords = (text: string) =>
  draftsOf(text)
    .map(({ phase, title, description }) => `${PHASES[phase]}: ${title}${description ? ` (${description})` : ""}`)
    .join("\n") || "(empty)";
