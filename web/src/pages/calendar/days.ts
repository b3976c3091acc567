import type { CalendarItem } from "@versioner/client";

export type View = "month" | "week";

/** A day of the browser's zone, such as 2026-12-24. */
export function dayKey(day: Date): string {
  const part = (number: number) => String(number).padStart(2, "0");
  return `${day.getFullYear()}-${part(day.getMonth() + 1)}-${part(day.getDate())}`;
}

/** The day of a text, if it is one. */
export function parseDay(text: string | undefined): Date | null {
  const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text ?? "") ?? [];
  const day = new Date(Number(year), Number(month) - 1, Number(date));
  return year && dayKey(day) === text ? day : null;
}

/** Days have 23 to 25 hours. */
export const addDays = (day: Date, count: number) => new Date(day.getFullYear(), day.getMonth(), day.getDate() + count);

/** The same date of another month, or its last one. */
export function addMonths(day: Date, count: number): Date {
  const last = new Date(day.getFullYear(), day.getMonth() + count + 1, 0);
  return new Date(last.getFullYear(), last.getMonth(), Math.min(day.getDate(), last.getDate()));
}

/** The day as its position in the week: Monday is 0. */
export const weekdayOf = (day: Date) => (day.getDay() + 6) % 7;

/** The days of the weeks that a view has. */
export function daysOf(view: View, day: Date): Date[] {
  const first = view === "week" ? day : new Date(day.getFullYear(), day.getMonth(), 1);
  const last = view === "week" ? day : new Date(day.getFullYear(), day.getMonth() + 1, 0);
  const start = addDays(first, -weekdayOf(first));
  const end = dayKey(addDays(last, 6 - weekdayOf(last)));
  const days = [start];
  for (let next = start; dayKey(next) !== end;) days.push((next = addDays(next, 1)));
  return days;
}

/** The items that overlap the day. */
export function itemsOf(items: readonly CalendarItem[], day: Date): CalendarItem[] {
  const [start, end] = [day.getTime(), addDays(day, 1).getTime()];
  return items.filter(({ starts_at, ends_at }) => Date.parse(starts_at) < end && Date.parse(ends_at) > start);
}

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const RANGE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const MONTH = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });
const WEEK = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const WEEKDAY = new Intl.DateTimeFormat(undefined, { weekday: "short" });

export const dayText = (day: Date) => DAY.format(day);
export const weekdayText = (day: Date) => WEEKDAY.format(day);

/** The name of the month or the dates of the week. */
export function titleOf(view: View, day: Date): string {
  if (view === "month") return MONTH.format(day);
  const monday = addDays(day, -weekdayOf(day));
  return WEEK.formatRange(monday, addDays(monday, 6));
}

/** When the item begins and ends. */
export const rangeText = ({ starts_at, ends_at }: CalendarItem) =>
  RANGE.formatRange(new Date(starts_at), new Date(ends_at));

/** A time with its date. */
export const momentText = (time: number) => RANGE.format(new Date(time));

/** Which part of the day the item covers: `18:00 –`, `– 06:00`, `10:00 – 12:00`; `all day`. */
export function partText({ starts_at, ends_at }: CalendarItem, day: Date): string {
  const [start, end] = [new Date(starts_at), new Date(ends_at)];
  const isBefore = start.getTime() <= day.getTime();
  const isAfter = end.getTime() >= addDays(day, 1).getTime();
  if (isBefore && isAfter) return "all day";
  if (isBefore) return `– ${TIME.format(end)}`;
  return isAfter ? `${TIME.format(start)} –` : `${TIME.format(start)} – ${TIME.format(end)}`;
}

export const browserZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone;
