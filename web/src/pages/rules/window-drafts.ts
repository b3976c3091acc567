import type { RuleWindow, RuleWindowInput } from "@versioner/client";

import { NO_RECURRENCE, parseRecurrence, type Recurrence, recurrenceRule } from "./recurrence";
import { EFFECTS, windowTimes } from "./rule-texts";

/** A window as its form has it. */
export interface WindowDraft extends Recurrence {
  /** Identifies the window while its position changes. */
  key: string;
  name: string;
  effect: RuleWindow["effect"];
  start: string;
  end: string;
  exdates: string;
  reason: string;
}

/** The text of a form's field that has the windows. */
export function draftsText(windows: readonly RuleWindow[]): string {
  return JSON.stringify(
    windows.map(({ name, effect, start, end, rrule, exdates, reason }, index): WindowDraft => ({
      key: String(index),
      name,
      effect,
      start,
      end,
      ...parseRecurrence(rrule, start),
      exdates: exdates.join(", "),
      reason: reason ?? "",
    })),
  );
}

export const draftsOf = (text: string): WindowDraft[] => (text === "" ? [] : (JSON.parse(text) as WindowDraft[]));

/** A window without times. */
export const newDraft = (count: number): WindowDraft => ({
  ...NO_RECURRENCE,
  key: `new ${count}`,
  name: "",
  effect: "deny",
  start: "",
  end: "",
  exdates: "",
  reason: "",
});

const datesOf = (text: string) => text.split(/[\s,]+/).filter(Boolean);

/** The windows that the server gets. */
export function windowsOf(text: string): RuleWindowInput[] {
  return draftsOf(text).map(({ name, effect, start, end, exdates, reason, ...recurrence }) => {
    const rrule = recurrenceRule(recurrence, start);
    return {
      name,
      effect,
      start,
      end,
      rrule,
      exdates: rrule === null ? [] : datesOf(exdates),
      reason: reason.trim() === "" ? null : reason,
    };
  });
}

/** The windows in words, a line each. */
export function draftsWords(text: string): string {
  return windowsOf(text)
    .map(({ name, effect, start, end, rrule = null, exdates = [], reason }) => {
      const times = windowTimes({ start, end, rrule, exdates });
      return `${name}: ${EFFECTS[effect].word} ${times}${reason ? ` (${reason})` : ""}`;
    })
    .join("\n");
}
