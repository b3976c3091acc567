const UNITS: readonly [limit: number, seconds: number, name: string][] = [
  [60, 1, "s"],
  [3_600, 60, "min"],
  [86_400, 3_600, "h"],
  [86_400 * 60, 86_400, "d"],
  [86_400 * 730, 86_400 * 30.44, "mo"],
  [Number.POSITIVE_INFINITY, 86_400 * 365.25, "y"],
];

/** A duration in its largest unit: `40 s`, `5 min`, `3 h`, `12 d`, `4 mo`, `2 y`. */
export function durationText(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  const [, size, name] = UNITS.find(([limit]) => seconds < limit) ?? UNITS[UNITS.length - 1]!;
  return `${Math.floor(seconds / size)} ${name}`;
}

/** How long ago a time is, or in how long it comes: `just now`, `5 min ago`, `in 3 d`. */
export function relativeTime(time: number, now: number): string {
  const difference = now - time;
  if (Math.abs(difference) < 10_000) return "just now";
  return difference > 0 ? `${durationText(difference)} ago` : `in ${durationText(-difference)}`;
}

const ABSOLUTE = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

/** The date and time in the zone of the browser, with the name of the zone. */
export function absoluteTime(time: number): string {
  return ABSOLUTE.format(time);
}

/** How long something took; null while it has not ended. */
export function durationOf(start: string | null, end: string | null): string | null {
  return start && end ? durationText(Date.parse(end) - Date.parse(start)) : null;
}
