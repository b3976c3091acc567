import { useInfiniteQuery, type UseInfiniteQueryOptions, type InfiniteData } from "@tanstack/react-query";
import type { Page, RecordedEvent } from "@versioner/client";

import { StatusBadge } from "./badge";
import { CodeBlock } from "./code-block";
import { ObjectList } from "./object-list";
import { Panel } from "./page";
import { EmptyState } from "./states";
import { Time } from "./time";

const EFFECTS: Record<RecordedEvent["effect"], string> = {
  created: "created it",
  progressed: "started it",
  terminated: "ended it",
  out_of_order: "changed nothing: a later status had arrived before",
  conflicting: "changed nothing: it belongs to an earlier attempt of the run",
  rejected: "did not start it: deployment rules block",
};

/** The events of a deployment or build, newest first: what each did, and its body. */
export function EventTimeline({
  options,
}: {
  options: UseInfiniteQueryOptions<
    Page<RecordedEvent>,
    Error,
    InfiniteData<Page<RecordedEvent>>,
    readonly unknown[],
    string | null
  >;
}) {
  const query = useInfiniteQuery(options);
  return (
    <Panel title="Events">
      <ObjectList
        query={query}
        noun="events"
        skeletons={3}
        empty={
          <EmptyState title="The events are no longer stored">
            Old events are deleted; what they reported stays.
          </EmptyState>
        }
      >
        {(events) => (
          <ol className="divide-y divide-line">
            {events.map((event) => (
              <Event key={event.id} event={event} />
            ))}
          </ol>
        )}
      </ObjectList>
    </Panel>
  );
}

function Event({ event: { received_at, status, effect, body } }: { event: RecordedEvent }) {
  return (
    <li className="px-4 py-2">
      <details>
        <summary className="flex min-h-6 list-none flex-wrap items-center gap-x-3 gap-y-1 rounded hover:bg-raised/60">
          <StatusBadge status={status} />
          <span>{EFFECTS[effect]}</span>
          <Time at={received_at} className="text-sm text-muted" />
          <span className="ml-auto text-sm text-accent">Body</span>
        </summary>
        <div className="pt-2">
          <CodeBlock label="Body as received" text={JSON.stringify(body, null, 2)} />
        </div>
      </details>
    </li>
  );
}
