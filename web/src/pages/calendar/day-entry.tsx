import type { CalendarItem } from "@versioner/client";

import { AppLink } from "../../components/app-link";
import { Name } from "../../components/name";
import { cx } from "../../lib/cx";
import { EFFECTS, scopeText } from "../rules/rule-texts";
import { partText } from "./days";

interface DayEntryProps {
  item: CalendarItem;
  day: Date;
  isInGrid?: boolean;
  /** Whether it has a line for its name and time, as in a month. What is cut is in the tooltip. */
  isCut?: boolean;
}

/** A window in a day, which leads to its rule: a glyph and words, so that it needs no colour. */
export function DayEntry({ item, day, isInGrid = false, isCut = false }: DayEntryProps) {
  const { glyph, word } = EFFECTS[item.effect];
  const isReport = item.mode === "report_only";
  const part = partText(item, day);
  const line = cx("block", isCut ? "truncate" : "break-words");
  return (
    <li className="min-w-0">
      <AppLink
        to={`/rules/${item.rule_id}`}
        title={`${item.window_name}, ${part}, ${scopeText(item.scope)} (${item.rule_name})`}
        // The day has the focus in the grid; its dialog has the links for the keyboard.
        tabIndex={isInGrid ? -1 : undefined}
        onClick={(event) => event.stopPropagation()}
        className={cx(
          "block min-h-6 rounded border px-1 text-xs hover:underline",
          isReport ? "border-dashed border-line-strong bg-surface text-muted" : "border-transparent",
          !isReport && (item.effect === "deny" ? "bg-bad-soft text-bad" : "bg-good-soft text-good"),
        )}
      >
        <span className={line}>
          <span aria-hidden="true">{isReport ? `! ${glyph} ` : `${glyph} `}</span>
          <span className="sr-only">{isReport ? `${word}, only reported: ` : `${word}: `}</span>
          <Name className="font-medium">{item.window_name}</Name> <span>{part}</span>
        </span>
        <Name className={line}>{placeText(item.scope)}</Name>
      </AppLink>
    </li>
  );
}

/** The products and environments of a window in a few words, the environments first. */
export function placeText({ products, environments, environment_types: types }: CalendarItem["scope"]): string {
  const places = [...environments, ...types].join(", ");
  if (products.length === 0) return places || "everything";
  return `${places || "all environments"}: ${products.join(", ")}`;
}

/** Identifies an occurrence. */
export const itemKey = ({ rule_id, window_name, starts_at }: CalendarItem) => `${rule_id} ${window_name} ${starts_at}`;
