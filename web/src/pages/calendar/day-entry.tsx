import type { CalendarItem } from "@versioner/client";

import { Name } from "../../components/name";
import { cx } from "../../lib/cx";
import { EFFECTS } from "../rules/rule-texts";
import { partText } from "./days";

/** A window in a day: a glyph and words, so that it needs no colour. */
export function DayEntry({ item, day, isCut = false }: { item: CalendarItem; day: Date; isCut?: boolean }) {
  const { glyph, word } = EFFECTS[item.effect];
  const isReport = item.mode === "report_only";
  const part = partText(item, day);
  return (
    <li
      title={`${item.window_name}, ${part}`}
      className={cx(
        isCut ? "truncate" : "break-words",
        "rounded border px-1 text-xs",
        isReport ? "border-dashed border-line-strong bg-surface text-muted" : "border-transparent",
        !isReport && (item.effect === "deny" ? "bg-bad-soft text-bad" : "bg-good-soft text-good"),
      )}
    >
      <span aria-hidden="true">{isReport ? `! ${glyph} ` : `${glyph} `}</span>
      <span className="sr-only">{isReport ? `${word}, only reported: ` : `${word}: `}</span>
      <Name className="font-medium">{item.window_name}</Name> <span>{part}</span>
    </li>
  );
}

/** Identifies an occurrence. */
export const itemKey = ({ rule_id, window_name, starts_at }: CalendarItem) => `${rule_id} ${window_name} ${starts_at}`;
