import { useNow } from "../lib/live";
import { absoluteTime, relativeTime } from "../lib/time";

/** A time relative to the server's clock; the tooltip has it with date and zone. */
export function Time({ at, className }: { at: string | null | undefined; className?: string }) {
  const now = useNow();
  const time = at ? Date.parse(at) : Number.NaN;
  if (!at || Number.isNaN(time)) return <span className={className}>–</span>;
  return (
    <time dateTime={at} title={absoluteTime(time)} className={className}>
      {relativeTime(time, now)}
    </time>
  );
}
