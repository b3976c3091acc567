/** How far the clock of the browser is behind that of the server, in milliseconds. */
let offset = 0;
let changed = () => {};

/** Sets the function that is called when the clocks turn out to differ. */
export function onClockChange(listener: () => void): void {
  changed = listener;
}

/** Learns the time of the server from an answer. Clocks that differ by less than a few seconds count as equal. */
export function observeServerTime(date: string | null): void {
  const time = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(time)) return;
  const difference = time - Date.now();
  const before = offset;
  offset = Math.abs(difference) < 5_000 ? 0 : difference;
  if (Math.abs(offset - before) > 5_000) changed();
}

/** The present time by the clock of the server, which the times of all answers come from. */
export function serverNow(): number {
  return Date.now() + offset;
}
