import type { NotifiableEventType, NotificationChannel, NotificationPreference } from "@versioner/client";

import { environmentNamesQuery, productNamesQuery } from "../../api/names";
import { createPreference, loadPreference, updatePreference } from "../../api/notifications";
import { CreateDialog } from "../../forms/create-dialog";
import { EditDialog } from "../../forms/edit-dialog";
import type { FormField, Values } from "../../forms/fields";
import { EVENT_TYPES, eventText, statusesOf } from "./texts";

const EVENT: FormField = {
  name: "event_type",
  label: "Event",
  kind: "choice",
  choices: Object.fromEntries(EVENT_TYPES.map((type) => [type, eventText(type)])),
};

const PRODUCTS: FormField = {
  name: "products",
  label: "Products",
  kind: "names",
  help: "Names or identifiers; they need not exist yet.",
  suggestions: productNamesQuery,
};

const ENVIRONMENTS: FormField = {
  name: "environments",
  label: "Environments",
  kind: "names",
  suggestions: environmentNamesQuery,
};

const statusesField = (statuses: readonly string[]): FormField => ({
  name: "statuses",
  label: "Only with the statuses",
  kind: "checks",
  help: "Without a choice, all statuses match.",
  choices: Object.fromEntries(statuses.map((status) => [status, status])),
});

// The server refuses the filters that events of the type do not have.
const hasEnvironments = (event: string) => !event.startsWith("build.");

const fieldsOf = ({ event_type = "" }: Values): readonly FormField[] => [
  EVENT,
  PRODUCTS,
  ...(hasEnvironments(event_type) ? [ENVIRONMENTS] : []),
  ...(statusesOf(event_type).length > 0 ? [statusesField(statusesOf(event_type))] : []),
];

interface Filters {
  products?: string[];
  environments?: string[];
  statuses?: string[];
}

const NO_FILTERS = { products: [], environments: [], statuses: [] };

/** The filters that events of the type have, and the saved statuses: another type may have been chosen after them. */
const filtersOf = (
  event: string,
  { products, environments, statuses }: Required<Filters>,
  saved: readonly string[] = [],
): Required<Filters> => ({
  products,
  environments: hasEnvironments(event) ? environments : [],
  statuses: statuses.filter((status) => statusesOf(event).includes(status) || saved.includes(status)),
});

interface CreateProps {
  channels: readonly NotificationChannel[];
  /** The channel that the page is filtered by. */
  channel: string | undefined;
  onDone: () => void;
  onClose: () => void;
}

export function CreatePreference({ channels, channel, onDone, onClose }: CreateProps) {
  const receivers: FormField = {
    name: "channel_id",
    label: "Send to",
    kind: "choice",
    choices: Object.fromEntries(channels.map(({ id, name }) => [id, name])),
  };
  return (
    <CreateDialog
      title="Create a preference"
      fields={(values) => [receivers, ...fieldsOf(values)]}
      initial={{ channel_id: channel ?? channels[0]?.id ?? "", event_type: "deployment.failed" }}
      create={({
        channel_id,
        event_type,
        ...filters
      }: Filters & { channel_id: string; event_type: NotifiableEventType }) =>
        createPreference({ channel_id, event_type, filters: filtersOf(event_type, { ...NO_FILTERS, ...filters }) })
      }
      onCreated={onDone}
      onClose={onClose}
    />
  );
}

interface EditProps {
  preference: NotificationPreference;
  onSaved: () => void;
  onClose: () => void;
}

export function EditPreference({ preference: { id }, onSaved, onClose }: EditProps) {
  return (
    <EditDialog
      title="Edit the preference"
      fields={fieldsOf}
      load={() => loadPreference(id)}
      valuesOf={({ event_type, filters: { products, environments, statuses } }) => ({
        event_type,
        products: products.join("\n"),
        environments: environments.join("\n"),
        statuses: statuses.join("\n"),
      })}
      save={({ event_type, ...changes }: Filters & { event_type?: NotifiableEventType }, { object, etag }) => {
        const all = { ...object.filters, ...changes };
        // Without the saved statuses, which may be those of another type, the filter would match all.
        if (!event_type)
          return updatePreference(id, { filters: filtersOf(object.event_type, all, object.filters.statuses) }, etag);
        return updatePreference(id, { event_type, filters: filtersOf(event_type, all) }, etag);
      }}
      onSaved={onSaved}
      onClose={onClose}
    />
  );
}
