import { useQuery } from "@tanstack/react-query";
import type { CalendarItem } from "@versioner/client";

import { calendarQuery } from "../../api/rules";
import { AppLink } from "../../components/app-link";
import { Name } from "../../components/name";
import { Time } from "../../components/time";
import { serverNow } from "../../lib/clock";
import { scopeText } from "../rules/rule-texts";
import { placeText } from "./day-entry";
import { momentText, rangeText } from "./days";

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

/** A time in which an enabled rule blocks, in milliseconds: infinite where no window is known. */
export interface Blocked {
  /** The window that denies, or the one after whose end the rule allows nothing. */
  item: CalendarItem;
  from: number;
  until: number;
}

/** When enabled rules block: each in its windows that deny, and outside of those that allow. Times of a rule do not touch. */
export function blockedTimes(items: readonly CalendarItem[]): Blocked[] {
  const enabled = items.filter(({ mode }) => mode === "enabled");
  const rules = new Set(enabled.map(({ rule_id }) => rule_id));
  return [...rules].flatMap((id) => blockedBy(enabled.filter(({ rule_id }) => rule_id === id)));
}

/** When a rule blocks, by its items in the order of their starts. */
function blockedBy(items: readonly CalendarItem[]): Blocked[] {
  const times = items.map((item) => ({ item, from: Date.parse(item.starts_at), until: Date.parse(item.ends_at) }));
  const blocked = times.filter(({ item }) => item.effect === "deny");
  const [first, ...others] = times.filter(({ item }) => item.effect === "allow");
  if (first) {
    blocked.push({ ...first, from: -Infinity, until: first.from });
    let last = first;
    for (const one of others) {
      if (one.from > last.until) blocked.push({ ...last, from: last.until, until: one.from });
      if (one.until > last.until) last = one;
    }
    blocked.push({ ...last, from: last.until, until: Infinity });
  }
  const merged: Blocked[] = [];
  for (const one of blocked.sort((a, b) => a.from - b.from)) {
    const before = merged.at(-1);
    if (before && one.from <= before.until) before.until = Math.max(before.until, one.until);
    else merged.push(one);
  }
  return merged;
}

/** What blocks now, for the longest if there are several, and the next time at which a rule begins to block, before a horizon. */
export function changesOf(items: readonly CalendarItem[], now: number, horizon: number) {
  const times = blockedTimes(items);
  const [current] = times.filter(({ from, until }) => from <= now && now < until).sort((a, b) => b.until - a.until);
  const [next] = times.filter(({ from }) => now < from && from < horizon).sort((a, b) => a.from - b.from);
  return { current, next };
}

/** What blocks now, and the next freeze or closing of a window within a year, each in one line. */
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
  if (!data) return <p className="min-h-6 text-muted">Next: …</p>;
  const { items, truncated } = data;
  // Of what begins after the last item of a list that is cut, nothing is known.
  const horizon = truncated ? Date.parse(items.at(-1)?.starts_at ?? "") : hour + YEAR;
  const { current, next } = changesOf(items, serverNow(), horizon);
  if (!current && !next) {
    return (
      <p className="min-h-6 text-muted">
        {truncated
          ? "Next: there are too many windows. Filter by product or environment."
          : "Next: no rule begins to block deployments within a year."}
      </p>
    );
  }
  return (
    <>
      {current ? (
        <Line label="Now" item={current.item}>
          {current.until < horizon ? " blocks until " : " blocks until at least "}
          {momentText(current.until === Infinity ? horizon : current.until)}
        </Line>
      ) : null}
      {next ? (
        <Line label="Next" item={next.item}>
          {next.item.effect === "deny" ? ", " : " closes a window, "}
          <Time at={new Date(next.from).toISOString()} />
        </Line>
      ) : null}
    </>
  );
}

/** What a rule does, where, and by which window. */
function Line({ label, item, children }: { label: "Now" | "Next"; item: CalendarItem; children: React.ReactNode }) {
  return (
    <p
      aria-label={label}
      role="group"
      className="min-h-6 break-words"
      title={`${item.rule_name}, ${item.window_name}, ${rangeText(item)}, ${scopeText(item.scope)}`}
    >
      {`${label}: `}
      <AppLink to={`/rules/${item.rule_id}`} className="rounded font-medium text-accent underline">
        <Name>{item.rule_name}</Name>
      </AppLink>
      {children}
      {", "}
      <Name>{placeText(item.scope)}</Name>
      <span className="text-muted">
        {" ("}
        {label === "Now" && item.effect === "allow" ? (
          "outside of its windows)"
        ) : (
          <>
            <Name>{item.window_name}</Name>
            {`, ${rangeText(item)})`}
          </>
        )}
      </span>
    </p>
  );
}
