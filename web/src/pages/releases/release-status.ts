import type { ReleaseStatus } from "@versioner/client";

import type { Tone } from "../../components/badge";

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
