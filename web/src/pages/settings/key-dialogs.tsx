import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { APIKey, CreatedAPIKey } from "@versioner/client";
import { useState } from "react";

import { createKey, keysQuery, loadKey, revokeKey, rotateKey, updateKey } from "../../api/keys";
import type { Revised } from "../../api/lists";
import { CIGuides } from "../../guides/ci-guides";
import { ConflictNotice } from "../../components/conflict";
import { SelectField, TextArea, TextField } from "../../components/field";
import { ConfirmDialog, FormDialog } from "../../components/form-dialog";
import { LoadedDialog } from "../../components/loaded-dialog";
import { SecretDialog } from "../../components/secret";
import { Time } from "../../components/time";
import { problemOf } from "../../lib/problems";
import { useEdit } from "../../lib/use-edit";

/** What the user does with a key, which opens a dialog. */
export type KeyAction =
  | { kind: "create" }
  | { kind: "edit" | "rotate" | "revoke"; apiKey: APIKey }
  | { kind: "created"; created: CreatedAPIKey };

interface DialogsProps {
  action: KeyAction;
  onAction: (action: KeyAction | null) => void;
}

export function KeyDialogs({ action, onAction }: DialogsProps) {
  const queries = useQueryClient();
  const close = () => onAction(null);
  const refresh = () => void queries.invalidateQueries({ queryKey: keysQuery.queryKey });
  const created = (key: CreatedAPIKey) => {
    refresh();
    onAction({ kind: "created", created: key });
  };
  const done = () => {
    refresh();
    close();
  };
  switch (action.kind) {
    case "create":
      return <CreateKey onCreated={created} onClose={close} />;
    case "edit":
      return <EditKey id={action.apiKey.id} onDone={done} onClose={close} />;
    case "rotate":
      return <RotateKey apiKey={action.apiKey} onCreated={created} onClose={close} />;
    case "revoke":
      return <RevokeKey apiKey={action.apiKey} onDone={done} onClose={close} />;
    case "created":
      return (
        <SecretDialog
          title={`The key ${action.created.name}`}
          label="API key"
          secret={action.created.key}
          onClose={close}
        >
          <CIGuides apiKey={action.created.key} />
        </SecretDialog>
      );
  }
}

const LIFETIMES = [30, 90, 365];
const DAY = 86_400_000;

function CreateKey({ onCreated, onClose }: { onCreated: (key: CreatedAPIKey) => void; onClose: () => void }) {
  const [values, setValues] = useState({ name: "", description: "", days: "" });
  const create = useMutation({
    mutationFn: () =>
      createKey({
        name: values.name,
        description: values.description,
        ...(values.days ? { expires_at: new Date(Date.now() + Number(values.days) * DAY).toISOString() } : {}),
      }),
    onSuccess: onCreated,
  });
  return (
    <FormDialog
      title="Create an API key"
      action="Create"
      busy={create.isPending}
      error={create.error}
      isDirty={Boolean(values.name || values.description)}
      isDisabled={!values.name.trim()}
      onSubmit={() => create.mutate()}
      onClose={onClose}
    >
      <KeyFields values={values} error={create.error} set={(changes) => setValues({ ...values, ...changes })} />
      <SelectField
        label="Lifetime"
        value={values.days}
        problem={problemOf(create.error, "expires_at")}
        onChange={(event) => setValues({ ...values, days: event.target.value })}
      >
        <option value="">Until it is revoked</option>
        {LIFETIMES.map((days) => (
          <option key={days} value={days}>{`${days} days`}</option>
        ))}
      </SelectField>
    </FormDialog>
  );
}

function KeyFields({
  values,
  error,
  set,
}: {
  values: { name: string; description: string };
  error: unknown;
  set: (changes: { name?: string; description?: string }) => void;
}) {
  return (
    <>
      <TextField
        label="Name"
        required
        autoFocus
        maxLength={255}
        help="The pipeline or team that uses it"
        problem={problemOf(error, "name")}
        value={values.name}
        onChange={(event) => set({ name: event.target.value })}
      />
      <TextArea
        label="Description"
        maxLength={4096}
        problem={problemOf(error, "description")}
        value={values.description}
        onChange={(event) => set({ description: event.target.value })}
      />
    </>
  );
}

function EditKey({ id, onDone, onClose }: { id: string; onDone: () => void; onClose: () => void }) {
  const query = useQuery({ queryKey: ["api-keys", id], queryFn: () => loadKey(id), gcTime: 0, staleTime: Infinity });
  return (
    <LoadedDialog title="Edit the key" query={query} onClose={onClose}>
      {(key) => <EditKeyForm initial={key} onDone={onDone} onClose={onClose} />}
    </LoadedDialog>
  );
}

const valuesOf = ({ name, description }: APIKey) => ({ name, description });

function EditKeyForm({
  initial,
  onDone,
  onClose,
}: {
  initial: Revised<APIKey>;
  onDone: () => void;
  onClose: () => void;
}) {
  const { id, name } = initial.object;
  const edit = useEdit({
    initial,
    valuesOf,
    load: () => loadKey(id),
    save: (values, { etag }) => updateKey(id, values, etag),
    onDone,
  });
  return (
    <FormDialog
      title={`Edit ${name}`}
      action="Save"
      busy={edit.busy}
      error={edit.error}
      isDirty={edit.isDirty}
      isDisabled={!edit.isDirty || !edit.values.name.trim()}
      onSubmit={edit.submit}
      onClose={onClose}
    >
      <KeyFields values={edit.values} error={edit.error} set={edit.set} />
      <ConflictNotice conflict={edit.conflict} labels={{ name: "Name", description: "Description" }} />
    </FormDialog>
  );
}

const GRACE_PERIODS: [hours: string, text: string][] = [
  ["0", "None: it stops working now"],
  ["1", "1 hour"],
  ["24", "24 hours"],
  ["168", "7 days"],
  ["720", "30 days"],
];

function RotateKey({
  apiKey,
  onCreated,
  onClose,
}: {
  apiKey: APIKey;
  onCreated: (key: CreatedAPIKey) => void;
  onClose: () => void;
}) {
  const [hours, setHours] = useState("24");
  const rotate = useMutation({ mutationFn: () => rotateKey(apiKey.id, Number(hours)), onSuccess: onCreated });
  return (
    <FormDialog
      title={`Rotate ${apiKey.name}`}
      action="Create the new key"
      busy={rotate.isPending}
      error={rotate.error}
      onSubmit={() => rotate.mutate()}
      onClose={onClose}
    >
      <p className="text-muted">
        A new key with the same name is created. The old one works during the grace period, in which you put the new one
        into the secret store. If the key has leaked, revoke it instead.
      </p>
      <SelectField label="The old key works for" value={hours} onChange={(event) => setHours(event.target.value)}>
        {GRACE_PERIODS.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </SelectField>
    </FormDialog>
  );
}

function RevokeKey({ apiKey, onDone, onClose }: { apiKey: APIKey; onDone: () => void; onClose: () => void }) {
  const revoke = useMutation({ mutationFn: () => revokeKey(apiKey.id), onSuccess: onDone });
  return (
    <ConfirmDialog
      title={`Revoke ${apiKey.name}`}
      action="Revoke"
      name={apiKey.name}
      busy={revoke.isPending}
      error={revoke.error}
      onSubmit={() => revoke.mutate()}
      onClose={onClose}
    >
      <p>
        Pipelines that use this key fail from now on, and nothing makes it valid again. It was last used:{" "}
        {apiKey.last_used_at ? <Time at={apiKey.last_used_at} className="font-medium" /> : "never"}.
      </p>
    </ConfirmDialog>
  );
}
