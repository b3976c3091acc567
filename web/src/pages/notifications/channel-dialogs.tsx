import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ChannelType, NotificationChannel } from "@versioner/client";
import { useState } from "react";

import type { Revised } from "../../api/lists";
import { channelsQuery, createChannel, deleteChannel, loadChannel, updateChannel } from "../../api/notifications";
import { ConflictNotice } from "../../components/conflict";
import { SelectField, TextArea, TextField } from "../../components/field";
import { ConfirmDialog, FormDialog } from "../../components/form-dialog";
import { LoadedDialog } from "../../components/loaded-dialog";
import { SecretDialog } from "../../components/secret";
import { problemOf } from "../../lib/problems";
import { useEdit } from "../../lib/use-edit";
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
  const done = (name?: string, secret?: string) => {
    void queries.invalidateQueries({ queryKey: channelsQuery.queryKey });
    if (name && secret) onAction({ kind: "secret", name, secret });
    else close();
  };
  switch (action.kind) {
    case "create":
      return <CreateChannel onDone={done} onClose={close} />;
    case "edit":
      return <EditChannel id={action.channel.id} onDone={() => done()} onClose={close} />;
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

function CreateChannel({ onDone, onClose }: { onDone: (name?: string, secret?: string) => void; onClose: () => void }) {
  const [type, setType] = useState<ChannelType>("slack_webhook");
  const [values, setValues] = useState({ name: "", address: "" });
  const [isSigned, setSigned] = useState(true);
  const create = useMutation({
    mutationFn: async () => {
      const secret = type === "webhook" && isSigned ? randomSecret() : undefined;
      const config = { [ADDRESS_MEMBER[type]]: values.address.trim(), ...(secret ? { secret } : {}) };
      await createChannel({ name: values.name, channel_type: type, config });
      return secret;
    },
    onSuccess: (secret) => onDone(values.name, secret),
  });
  return (
    <FormDialog
      title="Create a channel"
      action="Create"
      busy={create.isPending}
      error={create.error}
      isDirty={Boolean(values.name || values.address)}
      isDisabled={!values.name.trim() || !values.address.trim()}
      onSubmit={() => create.mutate()}
      onClose={onClose}
    >
      <SelectField label="Type" value={type} onChange={(event) => setType(event.target.value as ChannelType)}>
        {Object.entries(TYPE_NAMES).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </SelectField>
      <NameField values={values} error={create.error} set={setValues} />
      <AddressField type={type} values={values} error={create.error} set={setValues} />
      {type === "webhook" ? (
        <label className="flex min-h-8 items-center gap-2">
          <input
            type="checkbox"
            className="size-4 accent-accent"
            checked={isSigned}
            onChange={(event) => setSigned(event.target.checked)}
          />
          Sign messages with a secret, which is shown once
        </label>
      ) : null}
    </FormDialog>
  );
}

interface Values {
  name: string;
  address: string;
}

interface FieldsProps {
  values: Values;
  error: unknown;
  set: (values: Values) => void;
}

function NameField({ values, error, set }: FieldsProps) {
  return (
    <TextField
      label="Name"
      autoFocus
      required
      maxLength={255}
      problem={problemOf(error, "name")}
      value={values.name}
      onChange={(event) => set({ ...values, name: event.target.value })}
    />
  );
}

function AddressField({
  type,
  help,
  values,
  error,
  set,
}: FieldsProps & { type: ChannelType; help?: string | undefined }) {
  const props = {
    value: values.address,
    problem: problemOf(error, ADDRESS_MEMBER[type]),
    onChange: (event: { target: { value: string } }) => set({ ...values, address: event.target.value }),
  };
  if (type === "email")
    return (
      <TextArea
        {...props}
        label="Recipients"
        maxLength={4096}
        help="Up to 20 addresses, separated by commas. Each one receives an e-mail with a link to confirm, and nothing before."
      />
    );
  return (
    <TextField
      {...props}
      label={type === "webhook" ? "URL" : "URL of the incoming webhook"}
      type="url"
      maxLength={2048}
      placeholder={type === "webhook" ? "https://hooks.example.com/versioner" : "https://hooks.slack.com/services/…"}
      help={help ?? "It must be public: addresses of private networks are refused."}
    />
  );
}

function EditChannel({ id, onDone, onClose }: { id: string; onDone: () => void; onClose: () => void }) {
  const query = useQuery({
    queryKey: ["notification-channels", id],
    queryFn: () => loadChannel(id),
    gcTime: 0,
    staleTime: Infinity,
  });
  return (
    <LoadedDialog title="Edit the channel" query={query} onClose={onClose}>
      {(channel) => <EditChannelForm initial={channel} onDone={onDone} onClose={onClose} />}
    </LoadedDialog>
  );
}

const valuesOf = ({ name, channel_type, config, enabled }: NotificationChannel) => ({
  name,
  address: config[ADDRESS_MEMBER[channel_type]] ?? "",
  state: enabled ? "enabled" : "disabled",
});

function EditChannelForm({
  initial,
  onDone,
  onClose,
}: {
  initial: Revised<NotificationChannel>;
  onDone: () => void;
  onClose: () => void;
}) {
  const { id, name, channel_type } = initial.object;
  const edit = useEdit({
    initial,
    valuesOf,
    load: () => loadChannel(id),
    save: (values, { etag }) =>
      updateChannel(
        id,
        {
          ...(values.name === undefined ? {} : { name: values.name }),
          ...(values.state === undefined ? {} : { enabled: values.state === "enabled" }),
          ...(values.address === undefined
            ? {}
            : { config: { [ADDRESS_MEMBER[channel_type]]: values.address.trim() } }),
        },
        etag,
      ),
    onDone,
  });
  return (
    <FormDialog
      title={`Edit ${name}`}
      action="Save"
      busy={edit.busy}
      error={edit.error}
      isDirty={edit.isDirty}
      isDisabled={!edit.isDirty || !edit.values.name.trim() || !edit.values.address.trim()}
      onSubmit={edit.submit}
      onClose={onClose}
    >
      <NameField values={edit.values} error={edit.error} set={edit.set} />
      <AddressField
        type={channel_type}
        help="The server does not show the whole URL: leave it as it is, or type a new one."
        values={edit.values}
        error={edit.error}
        set={edit.set}
      />
      <SelectField
        label="State"
        value={edit.values.state}
        onChange={(event) => edit.set({ state: event.target.value })}
      >
        <option value="enabled">Enabled</option>
        <option value="disabled">Disabled: nothing is sent</option>
      </SelectField>
      <ConflictNotice conflict={edit.conflict} labels={{ name: "Name", address: "Address", state: "State" }} />
    </FormDialog>
  );
}

function NewSecret({
  channel,
  onDone,
  onClose,
}: {
  channel: NotificationChannel;
  onDone: (name: string, secret: string) => void;
  onClose: () => void;
}) {
  const change = useMutation({
    mutationFn: async () => {
      const secret = randomSecret();
      await updateChannel(channel.id, { config: { secret } });
      return secret;
    },
    onSuccess: (secret) => onDone(channel.name, secret),
  });
  return (
    <FormDialog
      title={`New signing secret of ${channel.name}`}
      action="Create the secret"
      busy={change.isPending}
      error={change.error}
      onSubmit={() => change.mutate()}
      onClose={onClose}
    >
      <p className="text-muted">
        Messages are signed with the new secret from now on and, for 24 hours, with the former one, too. Put the new one
        into the receiver within that time.
      </p>
    </FormDialog>
  );
}

function DeleteChannel({
  channel,
  onDone,
  onClose,
}: {
  channel: NotificationChannel;
  onDone: () => void;
  onClose: () => void;
}) {
  const remove = useMutation({ mutationFn: () => deleteChannel(channel.id), onSuccess: onDone });
  return (
    <ConfirmDialog
      title={`Delete ${channel.name}`}
      action="Delete"
      name={channel.name}
      busy={remove.isPending}
      error={remove.error}
      onSubmit={() => remove.mutate()}
      onClose={onClose}
    >
      <p>Its preferences are deleted with it, and pending messages are cancelled. Its history stays.</p>
    </ConfirmDialog>
  );
}
