import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { NotificationDelivery } from "@versioner/client";

import { channelsQuery, HISTORY_FILTERS, historyQuery, redeliver } from "../../api/notifications";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Badge, type Tone } from "../../components/badge";
import { Button } from "../../components/button";
import { ChoiceFilter, FilterBar, TimeFilter } from "../../components/filters";
import { Name } from "../../components/name";
import { ObjectList } from "../../components/object-list";
import { Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState, InlineError } from "../../components/states";
import { Time } from "../../components/time";
import { type Search, useFilters } from "../../lib/search";
import { NotificationsFrame } from "./frame";
import { errorText, EVENT_TYPES, eventText, TYPE_NAMES } from "./texts";

const STATUSES = { pending: "Pending", delivered: "Delivered", failed: "Failed", cancelled: "Cancelled" } as const;

const EVENTS = Object.fromEntries([...EVENT_TYPES, "test"].map((type) => [type, eventText(type)]));

const LOOKS: Record<NotificationDelivery["status"], { tone: Tone; glyph: string }> = {
  pending: { tone: "busy", glyph: "◐" },
  delivered: { tone: "good", glyph: "✓" },
  failed: { tone: "bad", glyph: "✕" },
  cancelled: { tone: "warn", glyph: "⊘" },
};

/** The deliveries of the last 90 days with their results. */
export default function HistoryPage() {
  const [search, change] = useFilters();
  const filters: Search = Object.fromEntries(HISTORY_FILTERS.map((name) => [name, search[name]]));
  const query = useInfiniteQuery(historyQuery(filters));
  const { data: channels } = useQuery(channelsQuery);
  const isFiltered = Object.values(filters).some(Boolean);
  return (
    <NotificationsFrame page="History">
      <FilterBar
        isFiltered={isFiltered}
        onClear={() => change(Object.fromEntries(HISTORY_FILTERS.map((name) => [name, ""])))}
      >
        <ChoiceFilter
          label="Channel"
          any="Any channel"
          value={search["channel_id"]}
          choices={Object.fromEntries((channels ?? []).map(({ id, name }) => [id, name]))}
          onChange={(channel_id) => change({ channel_id })}
        />
        <ChoiceFilter
          label="Result"
          any="Any result"
          value={search["status"]}
          choices={STATUSES}
          onChange={(status) => change({ status })}
        />
        <ChoiceFilter
          label="Event"
          any="Any event"
          value={search["event_type"]}
          choices={EVENTS}
          onChange={(event_type) => change({ event_type })}
        />
        <TimeFilter label="Since" value={search["since"]} onChange={(since) => change({ since })} />
        <TimeFilter label="Until" value={search["until"]} onChange={(until) => change({ until })} />
      </FilterBar>
      <Panel>
        <ObjectList
          query={query}
          noun="deliveries"
          empty={
            isFiltered ? (
              <EmptyState title="No delivery matches the filters" />
            ) : (
              <EmptyState title="No delivery yet">
                Messages appear here when an event matches a preference of a channel.
              </EmptyState>
            )
          }
        >
          {(deliveries, isDimmed) => (
            <RecordList label="Deliveries" isDimmed={isDimmed}>
              {deliveries.map((delivery) => (
                <DeliveryRow key={delivery.id} delivery={delivery} />
              ))}
            </RecordList>
          )}
        </ObjectList>
      </Panel>
    </NotificationsFrame>
  );
}

function DeliveryRow({ delivery }: { delivery: NotificationDelivery }) {
  const mayWrite = usePermission("integrations.write");
  const queries = useQueryClient();
  const again = useMutation({
    mutationFn: () => redeliver(delivery.id),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["notification-history"] }),
  });
  const reason = errorText(delivery.error_class);
  return (
    <RecordRow
      title={
        <>
          <Badge {...LOOKS[delivery.status]}>{delivery.status}</Badge>
          <EventName delivery={delivery} />
          <span className="min-w-0 text-muted">
            {"to "}
            <Name className="text-text">{delivery.channel_name}</Name>
            {` (${TYPE_NAMES[delivery.channel_type]})`}
          </span>
        </>
      }
      facts={
        <>
          <Time at={delivery.created_at} className="text-text" />
          <Fact label="Attempts">{delivery.attempts}</Fact>
          {delivery.response_status ? <Fact label="Response">{delivery.response_status}</Fact> : null}
          {delivery.latency_ms === null ? null : <Fact label="Took">{`${delivery.latency_ms} ms`}</Fact>}
          {delivery.last_attempt_at && delivery.attempts > 1 ? (
            <Fact label="Last attempt">
              <Time at={delivery.last_attempt_at} />
            </Fact>
          ) : null}
          {delivery.next_attempt_at ? (
            <Fact label="Next attempt">
              <Time at={delivery.next_attempt_at} />
            </Fact>
          ) : null}
        </>
      }
      actions={
        mayWrite ? (
          <Button
            small
            busy={again.isPending}
            aria-label={`Redeliver ${eventText(delivery.event_type)} to ${delivery.channel_name}`}
            onClick={() => again.mutate()}
          >
            Redeliver
          </Button>
        ) : null
      }
    >
      {reason && delivery.status !== "delivered" ? <p className="text-sm text-muted">{`Reason: ${reason}.`}</p> : null}
      <InlineError error={again.error} />
    </RecordRow>
  );
}

/** The event, with a link to its deployment or build. */
function EventName({ delivery: { event_type, object_id } }: { delivery: NotificationDelivery }) {
  const text = eventText(event_type);
  const path = event_type.startsWith("deployment.")
    ? "/deployments"
    : event_type.startsWith("build.")
      ? "/builds"
      : null;
  if (!path || !object_id) return <span className="font-medium">{text}</span>;
  return (
    <AppLink to={`${path}/${object_id}`} className="inline-flex min-h-6 items-center font-medium text-accent underline">
      {text}
    </AppLink>
  );
}
