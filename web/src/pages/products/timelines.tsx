import { useQuery } from "@tanstack/react-query";
import type { Deployment, EnvironmentState } from "@versioner/client";
import { useMemo, useState } from "react";

import { productHistoryQuery, runningBeforeQuery } from "../../api/products";
import { AppLink } from "../../components/app-link";
import { SelectField } from "../../components/field";
import { Name } from "../../components/name";
import { Panel } from "../../components/page";
import { OldData } from "../../components/old-data";
import { EmptyState, ErrorState, Skeleton } from "../../components/states";
import { serverNow } from "../../lib/clock";
import { cx } from "../../lib/cx";
import { useNow } from "../../lib/live";
import { useFilters } from "../../lib/search";
import { absoluteTime } from "../../lib/time";
import { DeploymentTable } from "../deployments/deployment-table";
import { type Timeline, timelineEnvironments, timelinesOf, MAX_TIMELINES } from "./timelines-data";

const HOUR = 3_600_000;

const RANGES: Record<string, { label: string; hours: number }> = {
  "1d": { label: "1 day", hours: 24 },
  "7d": { label: "7 days", hours: 168 },
  "30d": { label: "30 days", hours: 720 },
  "90d": { label: "90 days", hours: 2160 },
};

/** Which version ran in each environment over time. The range is a parameter of the address. */
export function TimelinesPanel({ product, states }: { product: string; states: readonly EnvironmentState[] }) {
  const [search, change] = useFilters();
  const range = RANGES[search["range"] ?? ""] ? search["range"]! : "7d";
  const choice = (
    <SelectField
      label="Range"
      hideLabel
      className="w-28"
      value={range}
      onChange={(event) => change({ range: event.target.value })}
    >
      {Object.entries(RANGES).map(([value, { label }]) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </SelectField>
  );
  return (
    <Panel title="Versions over time" actions={choice}>
      {states.length === 0 ? (
        <EmptyState title="This product has no deployment yet" />
      ) : (
        <Timelines key={range} product={product} states={states} hours={RANGES[range]!.hours} />
      )}
    </Panel>
  );
}

function Timelines({
  product,
  states,
  hours,
}: {
  product: string;
  states: readonly EnvironmentState[];
  hours: number;
}) {
  const start = useMemo(() => Math.floor(serverNow() / HOUR) * HOUR - hours * HOUR, [hours]);
  const since = new Date(start).toISOString();
  const environments = timelineEnvironments(states).slice(0, MAX_TIMELINES);
  const history = useQuery(productHistoryQuery(product, since));
  const before = useQuery(
    runningBeforeQuery(
      product,
      environments.map(({ environment_id }) => environment_id),
      since,
    ),
  );
  const now = useNow();
  const error = history.error ?? before.error;
  if (!history.data || !before.data) {
    if (error)
      return <ErrorState error={error} onRetry={() => void Promise.all([history.refetch(), before.refetch()])} />;
    return <Loading count={environments.length} />;
  }
  const timelines = timelinesOf(environments, before.data, history.data.deployments, start, now);
  return (
    <div className="px-4 py-3">
      <OldData query={history.error ? history : before} className="mb-2 rounded-md" />
      <Chart timelines={timelines} start={start} now={now} />
      <AsList timelines={timelines} />
      <Notes states={states} isCut={history.data.isCut} />
    </div>
  );
}

/** The deployments of the timelines, for the keyboard and for those that are too short to be clicked. */
function AsList({ timelines }: { timelines: readonly Timeline[] }) {
  const [isOpen, setOpen] = useState(false);
  const deployments = () =>
    timelines
      .flatMap(({ segments, marks }) => [...segments.map(({ deployment }) => deployment), ...marks])
      .sort((a, b) => Date.parse(b.occurred_at) - Date.parse(a.occurred_at));
  return (
    <details className="pt-2" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="min-h-6 rounded leading-6 text-accent">As a list</summary>
      {isOpen ? <DeploymentTable deployments={deployments()} hideProduct /> : null}
    </details>
  );
}

function Loading({ count }: { count: number }) {
  return (
    <div role="status" aria-label="Loading" className="flex flex-col gap-2 px-4 py-3">
      {Array.from({ length: count }, (_, index) => (
        <Skeleton key={index} className="h-[3.25rem] sm:h-7" />
      ))}
    </div>
  );
}

function Notes({ states, isCut }: { states: readonly EnvironmentState[]; isCut: boolean }) {
  const hidden = states.length - MAX_TIMELINES;
  return (
    <>
      {hidden > 0 ? (
        <p className="pt-2 text-sm text-muted">{`${hidden} more environments have no timeline; the list has them.`}</p>
      ) : null}
      {isCut ? (
        <p className="pt-2 text-sm text-muted">Only the newest 1,000 deployments of this time are shown.</p>
      ) : null}
    </>
  );
}

const COLOURS = ["bg-timeline-1", "bg-timeline-2", "bg-timeline-3", "bg-timeline-4", "bg-timeline-5"];

/** A version has one colour in all timelines, so that its way through the environments shows. */
function coloursOf(timelines: readonly Timeline[]): Map<string, string> {
  const versions = timelines
    .flatMap(({ segments }) => segments)
    .sort((a, b) => a.from - b.from)
    .map(({ deployment }) => deployment.version_id);
  return new Map([...new Set(versions)].map((version, index) => [version, COLOURS[index % COLOURS.length]!]));
}

function Chart({ timelines, start, now }: { timelines: readonly Timeline[]; start: number; now: number }) {
  const colours = coloursOf(timelines);
  const position = (time: number) => (100 * (Math.min(Math.max(time, start), now) - start)) / (now - start);
  return (
    <div className="flex flex-col gap-2">
      {timelines.map((timeline) => (
        <div key={timeline.id} className="flex flex-col gap-x-3 gap-y-0.5 sm:flex-row sm:items-center">
          <AppLink
            to={`/environments/${timeline.id}`}
            className="block leading-6 w-full shrink-0 rounded text-sm hover:underline sm:w-32"
          >
            <Name cut>{timeline.name}</Name>
          </AppLink>
          <TimelineBar timeline={timeline} colours={colours} position={position} />
        </div>
      ))}
      <div aria-hidden="true" className="flex justify-between text-xs text-muted sm:pl-35">
        <span>{new Date(start).toLocaleDateString(undefined, { month: "short", day: "numeric" })}</span>
        <span>now</span>
      </div>
    </div>
  );
}

interface TimelineBarProps {
  timeline: Timeline;
  colours: ReadonlyMap<string, string>;
  position: (time: number) => number;
}

/** The list below has the same deployments, so the segments take no focus of their own. */
function TimelineBar({ timeline, colours, position }: TimelineBarProps) {
  return (
    <ol aria-label={`Versions in ${timeline.name}`} className="relative h-7 min-w-0 grow rounded bg-raised">
      {timeline.segments.map(({ deployment, from, to }) => (
        <li
          key={deployment.id}
          className="@container absolute inset-y-0"
          style={{ left: `${position(from)}%`, width: `${position(to) - position(from)}%` }}
        >
          <AppLink
            to={`/deployments/${deployment.id}`}
            tabIndex={-1}
            title={`${deployment.version}: ${absoluteTime(from)} – ${absoluteTime(to)}`}
            className={cx(
              "block h-full overflow-hidden rounded border-l-2 border-surface px-1.5 leading-7 hover:brightness-95",
              colours.get(deployment.version_id),
            )}
          >
            <bdi className="block truncate font-mono text-xs leading-7 @max-[2.25rem]:invisible">
              {deployment.version}
            </bdi>
          </AppLink>
        </li>
      ))}
      {timeline.marks.map((deployment) => (
        <Mark key={deployment.id} deployment={deployment} position={position} />
      ))}
    </ol>
  );
}

function Mark({ deployment, position }: { deployment: Deployment; position: TimelineBarProps["position"] }) {
  const isOpen = deployment.status === "started" || deployment.status === "pending";
  const isBusy = isOpen && !deployment.is_stale;
  const word = deployment.is_stale ? "stale" : deployment.status;
  return (
    <li
      className="absolute top-0 h-full -translate-x-1/2"
      style={{ left: `${position(Date.parse(deployment.deployed_at))}%` }}
    >
      <AppLink
        to={`/deployments/${deployment.id}`}
        tabIndex={-1}
        title={`${deployment.version} ${word}: ${absoluteTime(Date.parse(deployment.deployed_at))}`}
        className="flex size-6 justify-center text-[0.625rem] leading-4 font-bold text-surface"
      >
        <span
          aria-hidden="true"
          className={cx(
            "size-4 rounded-full text-center",
            isBusy ? "bg-busy" : deployment.status === "failed" ? "bg-bad" : "bg-warn",
          )}
        >
          {isBusy ? "◐" : deployment.status === "failed" ? "✕" : "!"}
        </span>
        <span className="sr-only">{`${deployment.version} ${word}`}</span>
      </AppLink>
    </li>
  );
}
