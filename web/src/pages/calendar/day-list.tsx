import type { CalendarItem } from "@versioner/client";

import { EmptyState } from "../../components/states";
import { DayEntry, itemKey } from "./day-entry";
import { dayKey, dayText, itemsOf } from "./days";

interface DayListProps {
  days: readonly Date[];
  items: readonly CalendarItem[];
  today: string;
  onOpen: (day: Date) => void;
}

/** The days that have windows, for narrow windows of the browser. */
export function DayList({ days, items, today, onOpen }: DayListProps) {
  const filled = days.map((day) => ({ day, of: itemsOf(items, day) })).filter(({ of }) => of.length > 0);
  if (filled.length === 0) {
    return (
      <div className="sm:hidden">
        <EmptyState title="No window in these days" />
      </div>
    );
  }
  return (
    <ol aria-label="Days with windows" className="divide-y divide-line sm:hidden">
      {filled.map(({ day, of }) => (
        <li key={dayKey(day)} className="flex flex-col gap-1 px-4 py-2">
          <button
            type="button"
            aria-current={dayKey(day) === today ? "date" : undefined}
            className="min-h-6 self-start rounded text-left font-medium text-accent underline aria-[current=date]:font-semibold"
            onClick={() => onOpen(day)}
          >
            {dayText(day)}
            {dayKey(day) === today ? " (today)" : ""}
          </button>
          <ul className="flex min-w-0 flex-col gap-0.5">
            {of.map((item) => (
              <DayEntry key={itemKey(item)} item={item} day={day} />
            ))}
          </ul>
        </li>
      ))}
    </ol>
  );
}
