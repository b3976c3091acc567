import type { NotifiableEventType, NotificationChannel, NotificationPreference } from "@versioner/client";

import { environmentNamesQuery, productNamesQuery } from "../../api/names";
import { createPreference, loadPreference, updatePreference } from "../../api/notifications";
import { CreateDialog } from "../../forms/create-dialog";
import { EditDialog } from "../../forms/edit-dialog";
import type { FormField, Values } from "../../forms/fields";
import { EVENT_TYPES, eventText, FILTER_STATUSES } from "./texts";

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

const STATUSES: FormField = {
  name: "statuses",
  label: "Only with the statuses",
  kind: "checks",
  help: "Without a choice, all statuses match.",
  choices: Object.fromEntries(FILTER_STATUSES.map((status) => [status, status])),
};

// The server refuses the filters that events of the type do not have.
const hasEnvironments = (event: string) => !event.startsWith("build.");
const hasStatuses = (event: string) => /^(deployment|build)\./.test(event);

const fieldsOf = ({ event_type = "" }: Values): readonly FormField[] => [
  EVENT,
  PRODUCTS,
  ...(hasEnvironments(event_type) ? [ENVIRONMENTS] : []),
  ...(hasStatuses(event_type) ? [STATUSES] : []),
];

interface Filters {
  products?: string[];
  environments?: string[];
  statuses?: string[];
}

const NO_FILTERS = { products: [], environments: [], statuses: [] };

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
        createPreference({ channel_id, event_type, filters: { ...NO_FILTERS, ...filters } })
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
        const filters = { ...object.filters, ...changes };
        const event = event_type ?? object.event_type;
        if (!hasEnvironments(event)) filters.environments = [];
        if (!hasStatuses(event)) filters.statuses = [];
        return updatePreference(id, { ...(event_type ? { event_type } : {}), filters }, etag);
      }}
      onSaved={onSaved}
      onClose={onClose}
    />
  );
}
