import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import type { NotifiableEventType, NotificationChannel, NotificationPreference } from "@versioner/client";
import { useState } from "react";

import type { Revised } from "../../api/lists";
import { environmentNamesQuery, productNamesQuery } from "../../api/names";
import { createPreference, loadPreference, updatePreference } from "../../api/notifications";
import { ConflictNotice } from "../../components/conflict";
import { SelectField } from "../../components/field";
import { FormDialog } from "../../components/form-dialog";
import { LoadedDialog } from "../../components/loaded-dialog";
import { NamesField } from "../../components/names-field";
import { problemOf } from "../../lib/problems";
import { useEdit } from "../../lib/use-edit";
import { EVENT_TYPES, eventText, FILTER_STATUSES } from "./texts";

/** The values of the form. Lists of names have one on each line. */
interface Values {
  event: string;
  products: string;
  environments: string;
  statuses: string;
}

const linesOf = (text: string) => text.split("\n").filter(Boolean);

const valuesOf = ({ event_type, filters }: NotificationPreference) => ({
  event: event_type,
  products: filters.products.join("\n"),
  environments: filters.environments.join("\n"),
  statuses: filters.statuses.join("\n"),
});

const hasEnvironments = (event: string) => event.startsWith("deployment.");

const filtersOf = (values: Omit<Values, "event">, event: string) => ({
  products: linesOf(values.products),
  environments: hasEnvironments(event) ? linesOf(values.environments) : [],
  statuses: linesOf(values.statuses),
});

interface CreateProps {
  channels: readonly NotificationChannel[];
  /** The channel that the page is filtered by. */
  channel: string | undefined;
  onDone: () => void;
  onClose: () => void;
}

export function CreatePreference({ channels, channel, onDone, onClose }: CreateProps) {
  const [channelId, setChannelId] = useState(channel ?? channels[0]?.id ?? "");
  const [values, setValues] = useState({ event: "deployment.failed", products: "", environments: "", statuses: "" });
  const create = useMutation({
    mutationFn: () =>
      createPreference({
        channel_id: channelId,
        event_type: values.event as NotifiableEventType,
        filters: filtersOf(values, values.event),
      }),
    onSuccess: onDone,
  });
  return (
    <FormDialog
      title="Create a preference"
      action="Create"
      busy={create.isPending}
      error={create.error}
      isDirty={Boolean(values.products || values.environments || values.statuses)}
      onSubmit={() => create.mutate()}
      onClose={onClose}
    >
      <SelectField label="Send to" value={channelId} onChange={(event) => setChannelId(event.target.value)}>
        {channels.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </SelectField>
      <Fields values={values} error={create.error} set={(changes) => setValues({ ...values, ...changes })} />
    </FormDialog>
  );
}

export function EditPreference({ id, onDone, onClose }: { id: string; onDone: () => void; onClose: () => void }) {
  const query = useQuery({
    queryKey: ["notification-preference", id],
    queryFn: () => loadPreference(id),
    gcTime: 0,
    staleTime: Infinity,
  });
  return (
    <LoadedDialog title="Edit the preference" query={query} onClose={onClose}>
      {(preference) => <EditForm initial={preference} onDone={onDone} onClose={onClose} />}
    </LoadedDialog>
  );
}

function EditForm({
  initial,
  onDone,
  onClose,
}: {
  initial: Revised<NotificationPreference>;
  onDone: () => void;
  onClose: () => void;
}) {
  const { id } = initial.object;
  const edit = useEdit({
    initial,
    valuesOf,
    load: () => loadPreference(id),
    save: ({ event, ...filters }, revision) =>
      updatePreference(
        id,
        {
          ...(event === undefined ? {} : { event_type: event as NotifiableEventType }),
          filters: filtersOf({ ...valuesOf(revision.object), ...filters }, event ?? revision.object.event_type),
        },
        revision.etag,
      ),
    onDone,
  });
  return (
    <FormDialog
      title="Edit the preference"
      action="Save"
      busy={edit.busy}
      error={edit.error}
      isDirty={edit.isDirty}
      isDisabled={!edit.isDirty}
      onSubmit={edit.submit}
      onClose={onClose}
    >
      <Fields values={edit.values} error={edit.error} set={edit.set} />
      <ConflictNotice
        conflict={edit.conflict}
        labels={{ event: "Event", products: "Products", environments: "Environments", statuses: "Statuses" }}
      />
    </FormDialog>
  );
}

function Fields({ values, error, set }: { values: Values; error: unknown; set: (changes: Partial<Values>) => void }) {
  const [product, setProduct] = useState("");
  const [environment, setEnvironment] = useState("");
  const { data: products = [] } = useQuery({ ...productNamesQuery(product), placeholderData: keepPreviousData });
  const { data: environments = [] } = useQuery({
    ...environmentNamesQuery(environment),
    placeholderData: keepPreviousData,
  });
  return (
    <>
      <SelectField
        label="Event"
        autoFocus
        problem={problemOf(error, "event_type")}
        value={values.event}
        onChange={(event) => set({ event: event.target.value })}
      >
        {EVENT_TYPES.map((type) => (
          <option key={type} value={type}>
            {eventText(type)}
          </option>
        ))}
      </SelectField>
      <NamesField
        label="Products"
        help="Names or identifiers; they need not exist yet."
        problem={problemOf(error, "products")}
        names={linesOf(values.products)}
        suggestions={products}
        onText={setProduct}
        onChange={(names) => set({ products: names.join("\n") })}
      />
      {hasEnvironments(values.event) ? (
        <NamesField
          label="Environments"
          problem={problemOf(error, "environments")}
          names={linesOf(values.environments)}
          suggestions={environments}
          onText={setEnvironment}
          onChange={(names) => set({ environments: names.join("\n") })}
        />
      ) : null}
      <Statuses names={linesOf(values.statuses)} onChange={(names) => set({ statuses: names.join("\n") })} />
    </>
  );
}

function Statuses({ names, onChange }: { names: readonly string[]; onChange: (names: string[]) => void }) {
  return (
    <fieldset>
      <legend className="text-sm font-medium">Only with the statuses</legend>
      <div className="flex flex-wrap gap-x-4">
        {FILTER_STATUSES.map((status) => (
          <label key={status} className="flex min-h-8 items-center gap-2">
            <input
              type="checkbox"
              className="size-4 accent-accent"
              checked={names.includes(status)}
              onChange={(event) =>
                onChange(FILTER_STATUSES.filter((one) => (one === status ? event.target.checked : names.includes(one))))
              }
            />
            {status}
          </label>
        ))}
      </div>
      <p className="text-sm text-muted">Without a choice, all statuses match.</p>
    </fieldset>
  );
}
