import { byName } from "../../lib/by-name";

/** How a window recurs, as far as a form has fields for it; `other` is an RRULE that it has none for. */
export interface Recurrence {
  repeat: "never" | "DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY" | "other";
  every: string;
  /** The days of a week, such as MO. */
  days: readonly string[];
  /** Whether a month has the window on a date, such as the 15th, or on a weekday, such as the second or last Tuesday. */
  monthBy: "date" | "nth" | "last";
  /** The last date, such as 2026-12-31. */
  until: string;
  rrule: string;
}

export const WEEKDAYS: Readonly<Record<string, string>> = {
  MO: "Mon",
  TU: "Tue",
  WE: "Wed",
  TH: "Thu",
  FR: "Fri",
  SA: "Sat",
  SU: "Sun",
};

export const NO_RECURRENCE: Recurrence = {
  repeat: "never",
  every: "1",
  days: [],
  monthBy: "date",
  until: "",
  rrule: "",
};

/** The date of a local time, and what it is in its month. */
function placeOf(start: string): { day: number; weekday: string; nth: number; isLast: boolean } | null {
  const time = new Date(`${start.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(time.getTime())) return null;
  const day = time.getUTCDate();
  const daysOfMonth = new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + 1, 0)).getUTCDate();
  const weekday = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"][time.getUTCDay()] ?? "";
  return { day, weekday, nth: Math.floor((day - 1) / 7) + 1, isLast: day + 7 > daysOfMonth };
}

/** The recurrence of an RRULE of a window that starts then. */
export function parseRecurrence(rrule: string | null, start: string): Recurrence {
  if (rrule === null) return NO_RECURRENCE;
  const other: Recurrence = { ...NO_RECURRENCE, repeat: "other", rrule };
  const {
    FREQ,
    INTERVAL = "1",
    BYDAY,
    BYMONTHDAY,
    UNTIL = "",
    ...others
  }: Record<string, string> = Object.fromEntries(rrule.split(";").map((part) => part.split("=", 2)));
  const place = placeOf(start);
  if (Object.keys(others).length > 0 || !place || !/^(\d{8})?$/.test(UNTIL)) return other;
  const until = UNTIL && `${UNTIL.slice(0, 4)}-${UNTIL.slice(4, 6)}-${UNTIL.slice(6)}`;
  const found: Recurrence = { ...NO_RECURRENCE, every: INTERVAL, until };
  switch (FREQ) {
    case "DAILY":
    case "YEARLY":
      return BYDAY || BYMONTHDAY ? other : { ...found, repeat: FREQ };
    case "WEEKLY": {
      const days = BYDAY?.split(",") ?? [place.weekday];
      return BYMONTHDAY || days.some((day) => !(day in WEEKDAYS)) ? other : { ...found, repeat: FREQ, days };
    }
    case "MONTHLY": {
      const { day, weekday, nth, isLast } = place;
      if (BYDAY && BYMONTHDAY) return other;
      if (BYDAY === `${nth}${weekday}`) return { ...found, repeat: FREQ, monthBy: "nth" };
      if (BYDAY === `-1${weekday}` && isLast) return { ...found, repeat: FREQ, monthBy: "last" };
      if (BYDAY || (BYMONTHDAY && BYMONTHDAY !== String(day))) return other;
      return { ...found, repeat: FREQ };
    }
    default:
      return other;
  }
}

/** The RRULE of a recurrence of a window that starts then; null if it does not recur. */
export function recurrenceRule(recurrence: Recurrence, start: string): string | null {
  const { repeat, every, days, monthBy, until, rrule } = recurrence;
  if (repeat === "never") return null;
  if (repeat === "other") return rrule.trim();
  const place = placeOf(start);
  const parts = [`FREQ=${repeat}`];
  if (every.trim() !== "1") parts.push(`INTERVAL=${every.trim()}`);
  if (repeat === "WEEKLY" && days.length > 0) {
    parts.push(`BYDAY=${Object.keys(WEEKDAYS).filter((day) => days.includes(day))}`);
  }
  if (repeat === "MONTHLY" && place) {
    parts.push(
      monthBy === "date" ? `BYMONTHDAY=${place.day}` : `BYDAY=${monthBy === "last" ? -1 : place.nth}${place.weekday}`,
    );
  }
  if (until) parts.push(`UNTIL=${until.replaceAll("-", "")}`);
  return parts.join(";");
}

const ORDINALS = ["first", "second", "third", "fourth", "fifth"];

/** What the choices of a month mean for a window that starts then. */
export function monthChoices(start: string): Readonly<Record<Recurrence["monthBy"], string>> {
  const place = placeOf(start);
  if (!place) return { date: "on the same date", nth: "on the same weekday", last: "on the last such weekday" };
  const weekday = WEEKDAYS[place.weekday];
  return {
    date: `on day ${place.day}`,
    nth: `on the ${ORDINALS[place.nth - 1]} ${weekday}`,
    last: `on the last ${weekday}`,
  };
}

const UNITS = { DAILY: "day", WEEKLY: "week", MONTHLY: "month", YEARLY: "year" } as const;

/** How a window recurs, in words. */
export function recurrenceText(rrule: string | null, start: string): string {
  const { repeat, every, days, monthBy, until } = parseRecurrence(rrule, start);
  if (repeat === "never") return "once";
  if (repeat === "other") return rrule ?? "";
  const words = [every === "1" ? `every ${UNITS[repeat]}` : `every ${every} ${UNITS[repeat]}s`];
  if (repeat === "WEEKLY") words.push(`on ${days.map((day) => WEEKDAYS[day]).join(", ")}`);
  if (repeat === "MONTHLY") words.push(monthChoices(start)[monthBy]);
  if (until) words.push(`until ${until}`);
  return words.join(" ");
}

const FALLBACK_ZONE = "UTC";

/** The zone of the browser, if it is one that a schedule may have. */
export function localZone(): string {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return zone.includes("/") && !zone.startsWith("Etc/") ? zone : FALLBACK_ZONE;
}

/** The time zones that contain the text. */
export function zonesWith(text: string): string[] {
  const part = text.trim().toLowerCase().replaceAll(" ", "_");
  const zones = [...Intl.supportedValuesOf("timeZone").filter((zone) => zone.includes("/")), FALLBACK_ZONE];
  return zones.filter((zone) => zone.toLowerCase().includes(part)).sort(byName);
}

/** A format of times in the zone, or in UTC where the browser does not know the zone. */
export function formatIn(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(undefined, { ...options, timeZone: zone });
  } catch {
    return new Intl.DateTimeFormat(undefined, { ...options, timeZone: FALLBACK_ZONE, timeZoneName: "short" });
  }
}
