import type { CalendarItem } from "@versioner/client";
import { type KeyboardEvent, useEffect, useRef } from "react";

import { cx } from "../../lib/cx";
import { DayEntry, itemKey } from "./day-entry";
import { addDays, dayKey, dayText, itemsOf, type View, weekdayOf, weekdayText } from "./days";

/** How many windows a day shows. */
const SHOWN: Readonly<Record<View, number>> = { month: 3, week: 20 };

interface DayGridProps {
  view: View;
  /** The day that has the focus. */
  day: Date;
  days: readonly Date[];
  items: readonly CalendarItem[];
  today: string;
  onMove: (day: Date) => void;
  onStep: (count: number) => void;
  onOpen: (day: Date) => void;
}

/** The days of some weeks with their windows: arrows, Home, End, PageUp and PageDown move between days, and Enter opens one. */
export function DayGrid({ view, day, days, items, today, onMove, onStep, onOpen }: DayGridProps) {
  const grid = useRef<HTMLDivElement>(null);
  const isMoved = useRef(false);
  const key = dayKey(day);
  useEffect(() => {
    if (!isMoved.current) return;
    isMoved.current = false;
    grid.current?.querySelector<HTMLElement>(`[data-day="${key}"]`)?.focus();
  }, [key]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const position = weekdayOf(day);
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7, Home: -position, End: 6 - position }[
      event.key
    ];
    const pages = { PageUp: -1, PageDown: 1 }[event.key];
    if (by === undefined && pages === undefined && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (by) {
      isMoved.current = true;
      onMove(addDays(day, by));
    } else if (pages) {
      isMoved.current = true;
      onStep(pages);
    } else if (by === undefined) onOpen(day);
  };
  const weeks = Array.from({ length: days.length / 7 }, (_, week) => days.slice(week * 7, week * 7 + 7));
  return (
    <div ref={grid} role="grid" aria-label="Days" className="max-sm:hidden" onKeyDown={onKeyDown}>
      <div role="row" className="grid grid-cols-7 border-b border-line text-xs text-muted">
        {weeks[0]?.map((one) => (
          <div key={dayKey(one)} role="columnheader" className="px-2 py-1 font-medium">
            {weekdayText(one)}
          </div>
        ))}
      </div>
      {weeks.map((week) => (
        <div key={dayKey(week[0] ?? day)} role="row" className="grid grid-cols-7 border-line not-last:border-b">
          {week.map((one) => (
            <DayCell
              key={dayKey(one)}
              {...{ view, today, onOpen }}
              day={one}
              items={itemsOf(items, one)}
              isActive={dayKey(one) === key}
              isOutside={view === "month" && one.getMonth() !== day.getMonth()}
            />
          ))}
        </div>
      ))}
    </div>
  );
}

interface DayCellProps extends Pick<DayGridProps, "view" | "items" | "today" | "onOpen"> {
  day: Date;
  isActive: boolean;
  isOutside: boolean;
}

function DayCell({ view, day, items, today, isActive, isOutside, onOpen }: DayCellProps) {
  const key = dayKey(day);
  const shown = items.slice(0, SHOWN[view]);
  return (
    <div
      role="gridcell"
      data-day={key}
      tabIndex={isActive ? 0 : -1}
      aria-current={key === today ? "date" : undefined}
      className={cx(
        "flex min-w-0 cursor-pointer flex-col gap-0.5 border-line p-1 -outline-offset-2 not-last:border-r hover:bg-raised",
        view === "week" ? "min-h-64" : "min-h-24",
        isOutside && "bg-raised/60",
      )}
      onClick={() => onOpen(day)}
    >
      <span
        className={cx(
          "self-start rounded px-1 text-sm",
          key === today ? "bg-accent font-semibold text-on-accent" : isOutside ? "text-muted" : "",
        )}
      >
        <span aria-hidden="true">{day.getDate()}</span>
        <span className="sr-only">{dayText(day)}</span>
      </span>
      {shown.length > 0 ? (
        <ul className="flex min-w-0 flex-col gap-0.5">
          {shown.map((item) => (
            <DayEntry key={itemKey(item)} item={item} day={day} isInGrid isCut={view === "month"} />
          ))}
        </ul>
      ) : null}
      {items.length > shown.length ? (
        <span className="px-1 text-xs text-muted">{`${items.length - shown.length} more`}</span>
      ) : null}
    </div>
  );
}
