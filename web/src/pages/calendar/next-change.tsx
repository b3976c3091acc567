import { useQuery } from "@tanstack/react-query";
import type { CalendarItem } from "@versioner/client";

import { calendarQuery } from "../../api/rules";
import { AppLink } from "../../components/app-link";
import { Name } from "../../components/name";
import { Time } from "../../components/time";
import { serverNow } from "../../lib/clock";
import { scopeText } from "../rules/rule-texts";
import { placeText } from "./day-entry";
import { rangeText } from "./days";

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

/** The next time at which an enabled rule begins to block: the start of a window that denies, or the end of one that allows. */
export function nextClosing(items: readonly CalendarItem[], now: number): { item: CalendarItem; at: string } | null {
  const closings = items
    .filter(({ mode }) => mode === "enabled")
    .map((item) => ({ item, at: item.effect === "deny" ? item.starts_at : item.ends_at }))
    .filter(({ at }) => Date.parse(at) > now);
  return closings.sort((a, b) => Date.parse(a.at) - Date.parse(b.at))[0] ?? null;
}

/** The next freeze or the next closing of a window, within a year, in one line. */
export function NextChange({ product, environment }: { product: string | undefined; environment: string | undefined }) {
  const hour = Math.floor(serverNow() / HOUR) * HOUR; // so that the query is the same for an hour
  const { data } = useQuery(
    calendarQuery({
      from: new Date(hour).toISOString(),
      until: new Date(hour + YEAR).toISOString(),
      ...(product ? { product } : {}),
      ...(environment ? { environment } : {}),
    }),
  );
  const next = data ? nextClosing(data.items, serverNow()) : null;
  if (!data) return <p className="min-h-6 text-muted">Next: …</p>;
  if (!next) return <p className="min-h-6 text-muted">Next: no rule blocks deployments within a year.</p>;
  const { item, at } = next;
  return (
    <p
      aria-label="Next"
      role="group"
      className="min-h-6 break-words"
      title={`${item.rule_name}, ${item.window_name}, ${rangeText(item)}, ${scopeText(item.scope)}`}
    >
      {"Next: "}
      <AppLink to={`/rules/${item.rule_id}`} className="rounded font-medium text-accent underline">
        <Name>{item.rule_name}</Name>
      </AppLink>
      {item.effect === "deny" ? ", " : " closes a window, "}
      <Time at={at} />
      {", "}
      <Name>{placeText(item.scope)}</Name>
      <span className="text-muted">
        {" ("}
        <Name>{item.window_name}</Name>
        {`, ${rangeText(item)})`}
      </span>
    </p>
  );
}
