import { useQueryClient } from "@tanstack/react-query";
import type { ChannelType, NotificationChannel } from "@versioner/client";

import { channelsQuery, createChannel, deleteChannel, loadChannel, updateChannel } from "../../api/notifications";
import { SecretDialog } from "../../components/secret";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { CreateDialog } from "../../forms/create-dialog";
import { EditDialog } from "../../forms/edit-dialog";
import type { FormField, Values } from "../../forms/fields";
import { TYPE_NAMES } from "./texts";

/** What the user does with a channel, which opens a dialog. */
export type ChannelAction =
  | { kind: "create" }
  | { kind: "edit" | "delete" | "new-secret"; channel: NotificationChannel }
  | { kind: "secret"; name: string; secret: string };

interface DialogsProps {
  action: ChannelAction;
  onAction: (action: ChannelAction | null) => void;
}

export function ChannelDialogs({ action, onAction }: DialogsProps) {
  const queries = useQueryClient();
  const close = () => onAction(null);
  const refresh = () => void queries.invalidateQueries({ queryKey: channelsQuery.queryKey });
  const done = (name?: string, secret?: string) => {
    refresh();
    if (name && secret) onAction({ kind: "secret", name, secret });
    else close();
  };
  switch (action.kind) {
    case "create":
      return <CreateChannel onDone={done} onClose={close} />;
    case "edit":
      return <EditChannel channel={action.channel} onSaved={refresh} onClose={close} />;
    case "new-secret":
      return <NewSecret channel={action.channel} onDone={done} onClose={close} />;
    case "delete":
      return <DeleteChannel channel={action.channel} onDone={() => done()} onClose={close} />;
    case "secret":
      return (
        <SecretDialog
          title={`Signing secret of ${action.name}`}
          label="Signing secret"
          secret={action.secret}
          onClose={close}
        >
          <p className="text-sm text-muted">
            The receiver verifies the signature of each message with it; libraries for Standard Webhooks do.
          </p>
        </SecretDialog>
      );
  }
}

/** A secret in the form of Standard Webhooks: 32 random bytes. */
function randomSecret(): string {
  return `whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))}`;
}

/** The member of the configuration that has the address, for each type of channel. */
const ADDRESS_MEMBER = { slack_webhook: "webhook_url", webhook: "url", email: "to" } as const;

const NAME: FormField = { name: "name", label: "Name", kind: "text", isRequired: true, maxLength: 255 };

const STATE: FormField = {
  name: "state",
  label: "State",
  kind: "choice",
  choices: { enabled: "Enabled", disabled: "Disabled: nothing is sent" },
};

/** The address of the receiver, for each type of channel. */
const ADDRESS: Record<ChannelType, FormField> = {
  email: {
    name: "address",
    member: ADDRESS_MEMBER.email,
    label: "Recipients",
    kind: "area",
    isRequired: true,
    maxLength: 4096,
    help: "Up to 20 addresses, separated by commas. Each one receives an e-mail with a link to confirm, and nothing before.",
  },
  webhook: {
    name: "address",
    member: ADDRESS_MEMBER.webhook,
    label: "URL",
    kind: "text",
    isRequired: true,
    type: "url",
    maxLength: 2048,
    placeholder: "https://hooks.example.com/versioner",
    help: "It must be public: addresses of private networks are refused.",
  },
  slack_webhook: {
    name: "address",
    member: ADDRESS_MEMBER.slack_webhook,
    label: "URL of the incoming webhook",
    kind: "text",
    isRequired: true,
    type: "url",
    maxLength: 2048,
    placeholder: "https://hooks.slack.com/services/…",
    help: "It must be public: addresses of private networks are refused.",
  },
};

const newFields = ({ type }: Values): readonly FormField[] => [
  { name: "type", label: "Type", kind: "choice", choices: TYPE_NAMES },
  NAME,
  ADDRESS[type as ChannelType],
  ...(type === "webhook"
    ? [{ name: "signed", label: "Sign messages with a secret, which is shown once", kind: "check" } as const]
    : []),
];

const editFields = (type: ChannelType): readonly FormField[] => [
  NAME,
  type === "email"
    ? ADDRESS.email
    : { ...ADDRESS[type], help: "The server does not show the whole URL: leave it as it is, or type a new one." },
  STATE,
];

interface NewChannel {
  name: string;
  type: ChannelType;
  address: string;
  signed?: boolean;
}

function CreateChannel({ onDone, onClose }: { onDone: (name?: string, secret?: string) => void; onClose: () => void }) {
  return (
    <CreateDialog
      title="Create a channel"
      fields={newFields}
      initial={{ type: "slack_webhook", signed: "on" }}
      create={async ({ name, type, address, signed }: NewChannel) => {
        const secret = signed ? randomSecret() : undefined;
        const config = { [ADDRESS_MEMBER[type]]: address.trim(), ...(secret ? { secret } : {}) };
        await createChannel({ name, channel_type: type, config });
        return { name, secret };
      }}
      onCreated={({ name, secret }) => onDone(name, secret)}
      onClose={onClose}
    />
  );
}

interface ChangedChannel {
  name?: string;
  address?: string;
  state?: string;
}

interface EditChannelProps {
  channel: NotificationChannel;
  onSaved: () => void;
  onClose: () => void;
}

function EditChannel({ channel: { id, name, channel_type }, onSaved, onClose }: EditChannelProps) {
  const member = ADDRESS_MEMBER[channel_type];
  return (
    <EditDialog
      title={`Edit ${name}`}
      fields={editFields(channel_type)}
      load={() => loadChannel(id)}
      valuesOf={(channel) => ({
        name: channel.name,
        address: channel.config[member] ?? "",
        state: channel.enabled ? "enabled" : "disabled",
      })}
      save={({ address, state, ...changes }: ChangedChannel, { etag }) =>
        updateChannel(
          id,
          {
            ...changes,
            ...(state === undefined ? {} : { enabled: state === "enabled" }),
            ...(address === undefined ? {} : { config: { [member]: address.trim() } }),
          },
          etag,
        )
      }
      onSaved={onSaved}
      onClose={onClose}
    />
  );
}

interface NewSecretProps {
  channel: NotificationChannel;
  onDone: (name: string, secret: string) => void;
  onClose: () => void;
}

function NewSecret({ channel, onDone, onClose }: NewSecretProps) {
  return (
    <CreateDialog
      title={`New signing secret of ${channel.name}`}
      action="Create the secret"
      fields={[]}
      create={async () => {
        const secret = randomSecret();
        await updateChannel(channel.id, { config: { secret } });
        return secret;
      }}
      onCreated={(secret) => onDone(channel.name, secret)}
      onClose={onClose}
    >
      <p className="text-muted">
        Messages are signed with the new secret from now on and, for 24 hours, with the former one, too. Put the new one
        into the receiver within that time.
      </p>
    </CreateDialog>
  );
}

interface DeleteChannelProps {
  channel: NotificationChannel;
  onDone: () => void;
  onClose: () => void;
}

function DeleteChannel({ channel, onDone, onClose }: DeleteChannelProps) {
  return (
    <ConfirmDialog
      title={`Delete ${channel.name}`}
      action="Delete"
      confirmation="Delete the channel with its preferences"
      run={async () => deleteChannel(channel.id)}
      onDone={onDone}
      onClose={onClose}
    >
      Its preferences are deleted with it, and pending messages are cancelled. Its history stays.
    </ConfirmDialog>
  );
}
