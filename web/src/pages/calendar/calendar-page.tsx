import { useQuery } from "@tanstack/react-query";
import type { CalendarItem } from "@versioner/client";
import { useMemo, useState } from "react";

import { calendarQuery } from "../../api/rules";
import { usePermission } from "../../api/session";
import { Button } from "../../components/button";
import { EnvironmentFilter, FilterBar, ProductFilter } from "../../components/filters";
import { ReadOnlyNote } from "../../components/no-permission";
import { Page, Panel } from "../../components/page";
import { WhenLoaded } from "../../components/states";
import { serverNow } from "../../lib/clock";
import { useFilters } from "../../lib/search";
import { DayDialog } from "./day-dialog";
import { DayGrid } from "./day-grid";
import { DayList } from "./day-list";
import { addDays, addMonths, browserZone, dayKey, daysOf, parseDay, titleOf, type View } from "./days";
import { NextChange } from "./next-change";
import { SubscribeDialog } from "./subscribe-dialog";

/** When deployment rules deny or allow deployments, by month or week. */
export default function CalendarPage() {
  const [search, change] = useFilters();
  const maySubscribe = usePermission("calendar_feeds.write");
  const [isSubscribing, setSubscribing] = useState(false);
  const { product, environment } = search;
  return (
    <Page
      title="Deployment calendar"
      lead="When deployment rules deny or allow deployments, as the rules are now"
      actions={maySubscribe ? <Button onClick={() => setSubscribing(true)}>Subscribe</Button> : null}
    >
      <NextChange product={product} environment={environment} />
      <ReadOnlyNote permission="calendar_feeds.write" what="subscribe to the calendar" />
      <FilterBar isFiltered={Boolean(product || environment)} onClear={() => change({ product: "", environment: "" })}>
        <ProductFilter isMain value={product} onChange={(text) => change({ product: text })} />
        <EnvironmentFilter value={environment} onChange={(text) => change({ environment: text })} />
      </FilterBar>
      <Calendar />
      {isSubscribing ? <SubscribeDialog onClose={() => setSubscribing(false)} /> : null}
    </Page>
  );
}

function Calendar() {
  const [{ product, environment, ...search }, change] = useFilters();
  const view: View = search["view"] === "week" ? "week" : "month";
  const today = dayKey(new Date(serverNow()));
  const key = parseDay(search["date"]) ? (search["date"] ?? today) : today;
  const day = useMemo(() => parseDay(key) ?? new Date(), [key]);
  const days = useMemo(() => daysOf(view, day), [view, day]);
  const [opened, setOpened] = useState<Date | null>(null);
  const query = useQuery(calendarQuery(filtersOf(days, product, environment)));
  const go = (date: Date | null) => change({ date: date ? dayKey(date) : "" });
  const step = (count: number) => (view === "week" ? addDays(day, 7 * count) : addMonths(day, count));
  return (
    <Panel>
      <div className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-2">
        <h2 aria-live="polite" className="grow text-lg font-semibold">
          {titleOf(view, day)}
        </h2>
        <Button small aria-label={`Previous ${view}`} onClick={() => go(step(-1))}>
          ‹
        </Button>
        <Button small onClick={() => go(null)}>
          Today
        </Button>
        <Button small aria-label={`Next ${view}`} onClick={() => go(step(1))}>
          ›
        </Button>
        <div role="group" aria-label="View" className="flex gap-1">
          {(["month", "week"] as const).map((one) => (
            <Button
              key={one}
              small
              kind={view === one ? "primary" : "secondary"}
              aria-pressed={view === one}
              onClick={() => change({ view: one === "month" ? "" : one })}
            >
              {one === "month" ? "Month" : "Week"}
            </Button>
          ))}
        </div>
      </div>
      <WhenLoaded query={query} skeletons={6}>
        {({ items, truncated }) => (
          <div aria-busy={query.isPlaceholderData} className={query.isPlaceholderData ? "opacity-60" : ""}>
            {truncated ? (
              <p role="alert" className="bg-warn-soft px-4 py-2 text-sm text-warn">
                There are too many windows to show all of them: filter by product or environment.
              </p>
            ) : null}
            <DayGrid
              {...{ view, day, days, items, today }}
              onMove={go}
              onStep={(count) => go(step(count))}
              onOpen={setOpened}
            />
            <DayList {...{ days, items, today }} onOpen={setOpened} />
            <Legend items={items} />
            {opened ? <DayDialog day={opened} items={items} onClose={() => setOpened(null)} /> : null}
          </div>
        )}
      </WhenLoaded>
    </Panel>
  );
}

function filtersOf(days: readonly Date[], product: string | undefined, environment: string | undefined) {
  const [first = new Date(), last = first] = [days[0], days.at(-1)];
  return {
    from: first.toISOString(),
    until: addDays(last, 1).toISOString(),
    ...(product ? { product } : {}),
    ...(environment ? { environment } : {}),
  };
}

function Legend({ items }: { items: readonly CalendarItem[] }) {
  const count = items.length === 1 ? "1 window" : `${items.length} windows`;
  return (
    <p className="flex flex-wrap gap-x-4 gap-y-1 border-t border-line px-4 py-2 text-sm text-muted">
      <span role="status">{items.length === 0 ? "No window" : count}</span>
      <span>⊘ no deployments</span>
      <span>✓ allowed, and not outside of such windows</span>
      <span>! only reported</span>
      <span>{`Times of ${browserZone()}`}</span>
    </p>
  );
}
