/** How far the clock of the browser is behind that of the server, in milliseconds. */
let offset = 0;

/** Learns the time of the server from an answer. Clocks that differ by less than a few seconds count as equal. */
export function observeServerTime(date: string | null): void {
  const time = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(time)) return;
  const difference = time - Date.now();
  offset = Math.abs(difference) < 5_000 ? 0 : difference;
}

/** The present time by the clock of the server, which the times of all answers come from. */
export function serverNow(): number {
  return Date.now() + offset;
}
