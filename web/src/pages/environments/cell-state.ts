import type { EnvironmentState } from "@versioner/client";

import type { Tone } from "../../components/badge";

export type Cell = EnvironmentState;

/** The states of a cell, most urgent first; a cell has the first that applies. */
export const CELL_STATES = ["failed", "in_progress", "stale", "behind", "differs", "current", "empty"] as const;

export type CellState = (typeof CELL_STATES)[number];

export function cellState(cell: Cell): CellState {
  if (cell.in_progress_deployment_id) return "in_progress";
  if (cell.latest_status === "failed" && cell.latest_deployment_id !== cell.deployment_id) return "failed";
  if (cell.latest_is_stale) return "stale";
  if (!cell.version) return "empty";
  if ((cell.versions_behind ?? 0) > 0) return "behind";
  return cell.has_drift ? "differs" : "current";
}

/** Reports whether what runs there is in order: it runs, and no newer deployment failed, hangs or is in progress. */
export function isFine(state: CellState): boolean {
  return state === "behind" || state === "differs" || state === "current";
}

/** The newest deployment, where the cell is about it and not about the version that runs. */
export interface Attempt {
  id: string | null;
  version: string | null;
  at: string | null;
  who: string | null;
}

/** The deployment that has failed, hangs or is in progress; null in other states. */
export function attemptOf(cell: Cell, state: CellState): Attempt | null {
  if (state === "in_progress") {
    return {
      id: cell.in_progress_deployment_id,
      version: cell.in_progress_version,
      at: cell.in_progress_since,
      who: cell.in_progress_deployed_by_name || cell.in_progress_deployed_by,
    };
  }
  if (state !== "failed" && state !== "stale") return null;
  return {
    id: cell.latest_deployment_id,
    version: cell.latest_version,
    at: cell.latest_at,
    who: cell.latest_deployed_by_name || cell.latest_deployed_by,
  };
}

interface Label {
  tone: Tone;
  glyph: string;
  word: string;
  /** What the state means, for the tooltip and the panel. */
  meaning: string;
}

export const STATE_LABELS: Record<CellState, Label> = {
  failed: {
    tone: "bad",
    glyph: "✕",
    word: "failed",
    meaning: "The newest deployment failed; the version before it still runs.",
  },
  in_progress: { tone: "busy", glyph: "◐", word: "in progress", meaning: "A deployment is in progress." },
  stale: {
    tone: "warn",
    glyph: "?",
    word: "stale",
    meaning: "The newest deployment has not reported its end, and no event for a long time.",
  },
  behind: {
    tone: "neutral",
    glyph: "↓",
    word: "behind",
    meaning: "Newer versions of the product run, or have run, in other environments.",
  },
  differs: {
    tone: "neutral",
    glyph: "≠",
    word: "differs",
    meaning: "Other environments of the product run another version.",
  },
  current: {
    tone: "good",
    glyph: "✓",
    word: "in sync",
    meaning: "All environments of the product run this version.",
  },
  empty: { tone: "neutral", glyph: "–", word: "never", meaning: "No deployment has completed here." },
};

/** What the state of the cell means: a version whose redeployment failed is not the one before. */
export function stateMeaning({ latest_version: version, version: current }: Cell, state: CellState): string {
  if (state !== "failed") return STATE_LABELS[state].meaning;
  if (current === null) return "The newest deployment failed; no version runs here.";
  return current === version ? `Deploying ${version} again failed; it still runs.` : STATE_LABELS.failed.meaning;
}

/** The words of a cell's state, such as `2 behind`. */
export function stateText(cell: Cell, state: CellState): string {
  return state === "behind" ? `${cell.versions_behind} behind` : STATE_LABELS[state].word;
}
