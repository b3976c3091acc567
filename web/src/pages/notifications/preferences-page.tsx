import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import type { NotificationChannel, NotificationPreference } from "@versioner/client";
import { useState } from "react";

import { channelsQuery, deletePreference, preferencesQuery } from "../../api/notifications";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Button } from "../../components/button";
import { ChoiceFilter, FilterBar } from "../../components/filters";
import { Name } from "../../components/name";
import { ObjectList } from "../../components/object-list";
import { Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { useFilters } from "../../lib/search";
import { NotificationsFrame } from "./frame";
import { CreatePreference, EditPreference } from "./preference-form";
import { eventText } from "./texts";

type Action = { kind: "create" } | { kind: "edit" | "delete"; preference: NotificationPreference };

/** Which events lead to a message, and to which channel. */
export default function PreferencesPage() {
  const [search, change] = useFilters();
  const channel = search["channel_id"];
  const query = useInfiniteQuery(preferencesQuery(channel));
  const { data: channels = [] } = useQuery(channelsQuery);
  const mayWrite = usePermission("integrations.write");
  const [action, setAction] = useState<Action | null>(null);
  return (
    <NotificationsFrame
      page="Preferences"
      actions={
        <Button kind="primary" disabled={channels.length === 0} onClick={() => setAction({ kind: "create" })}>
          Create a preference
        </Button>
      }
    >
      <FilterBar isFiltered={Boolean(channel)} onClear={() => change({ channel_id: "" })}>
        <ChoiceFilter
          label="Channel"
          any="Any channel"
          value={channel}
          choices={Object.fromEntries(channels.map(({ id, name }) => [id, name]))}
          onChange={(channel_id) => change({ channel_id })}
        />
      </FilterBar>
      <Panel>
        <ObjectList
          query={query}
          noun="preferences"
          skeletons={5}
          empty={<Empty channels={channels} channel={channel} />}
        >
          {(preferences, isDimmed) => (
            <RecordList label="Preferences" isDimmed={isDimmed}>
              {preferences.map((preference) => (
                <PreferenceRow
                  key={preference.id}
                  preference={preference}
                  channel={channels.find(({ id }) => id === preference.channel_id)}
                  onAction={mayWrite ? setAction : undefined}
                />
              ))}
            </RecordList>
          )}
        </ObjectList>
      </Panel>
      {action ? (
        <Dialogs action={action} channels={channels} channel={channel} onClose={() => setAction(null)} />
      ) : null}
    </NotificationsFrame>
  );
}

function Empty({ channels, channel }: { channels: readonly NotificationChannel[]; channel: string | undefined }) {
  if (channels.length === 0)
    return (
      <EmptyState title="No channel yet">
        A preference needs a channel.{" "}
        <AppLink to="/notifications" className="text-accent underline">
          Go to the channels
        </AppLink>
      </EmptyState>
    );
  return (
    <EmptyState title={channel ? "This channel has no preference" : "No preference yet"}>
      Without one, a channel gets no messages.
    </EmptyState>
  );
}

function Dialogs({
  action,
  channels,
  channel,
  onClose,
}: {
  action: Action;
  channels: readonly NotificationChannel[];
  channel: string | undefined;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const refresh = () => void queries.invalidateQueries({ queryKey: ["notification-preferences"] });
  const done = () => {
    refresh();
    onClose();
  };
  switch (action.kind) {
    case "create":
      return <CreatePreference channels={channels} channel={channel} onDone={done} onClose={onClose} />;
    case "edit":
      return <EditPreference preference={action.preference} onSaved={refresh} onClose={onClose} />;
    case "delete":
      return <DeletePreference preference={action.preference} onDone={done} onClose={onClose} />;
  }
}

function PreferenceRow({
  preference,
  channel,
  onAction,
}: {
  preference: NotificationPreference;
  channel: NotificationChannel | undefined;
  onAction: ((action: Action) => void) | undefined;
}) {
  const { products, environments, statuses } = preference.filters;
  const event = eventText(preference.event_type);
  const label = `${event} to ${channel?.name ?? "the channel"}`;
  return (
    <RecordRow
      title={
        <span className="min-w-0">
          <span className="inline-block font-medium first-letter:uppercase">{event}</span> to{" "}
          <Name>{channel?.name ?? preference.channel_id}</Name>
        </span>
      }
      facts={
        <>
          <Fact label="Products">
            <Names names={products} />
          </Fact>
          {environments.length > 0 || !preference.event_type.startsWith("build.") ? (
            <Fact label="Environments">
              <Names names={environments} />
            </Fact>
          ) : null}
          {statuses.length > 0 ? (
            <Fact label="Statuses">
              <Names names={statuses} />
            </Fact>
          ) : null}
        </>
      }
      actions={
        onAction ? (
          <>
            <Button small aria-label={`Edit ${label}`} onClick={() => onAction({ kind: "edit", preference })}>
              Edit
            </Button>
            <Button
              small
              kind="danger"
              aria-label={`Delete ${label}`}
              onClick={() => onAction({ kind: "delete", preference })}
            >
              Delete
            </Button>
          </>
        ) : null
      }
    />
  );
}

function Names({ names }: { names: readonly string[] }) {
  if (names.length === 0) return "all";
  return names.map((name, index) => (
    <span key={name}>
      {index > 0 ? ", " : ""}
      <Name>{name}</Name>
    </span>
  ));
}

function DeletePreference({
  preference,
  onDone,
  onClose,
}: {
  preference: NotificationPreference;
  onDone: () => void;
  onClose: () => void;
}) {
  return (
    <ConfirmDialog
      title={`Delete the preference for ${eventText(preference.event_type)}`}
      action="Delete"
      run={async () => deletePreference(preference.id)}
      onDone={onDone}
      onClose={onClose}
    >
      The channel gets no further messages for it. Pending ones are delivered.
    </ConfirmDialog>
  );
}
