import { useQueryClient } from "@tanstack/react-query";
import type { APIKey, APIKeyScope, CreatedAPIKey } from "@versioner/client";

import { createKey, keysQuery, loadKey, revokeKey, rotateKey, updateKey } from "../../api/keys";
import { SecretDialog } from "../../components/secret";
import { Time } from "../../components/time";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { CreateDialog } from "../../forms/create-dialog";
import { EditDialog } from "../../forms/edit-dialog";
import type { FormField } from "../../forms/fields";
import { CIGuides } from "../../guides/ci-guides";
import { serverNow } from "../../lib/clock";

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
      return <EditKey apiKey={action.apiKey} onSaved={refresh} onClose={close} />;
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

const FIELDS: readonly FormField[] = [
  {
    name: "name",
    label: "Name",
    kind: "text",
    isRequired: true,
    maxLength: 255,
    help: "The pipeline or team that uses it",
  },
  { name: "description", label: "Description", kind: "area", maxLength: 4096 },
];

const LIFETIMES = { "": "Until it is revoked", "30 d": "30 days", "90 d": "90 days", "365 d": "365 days" };
const DAY = 86_400_000;

/** What a key may do. */
export const SCOPES: Readonly<Record<APIKeyScope, string>> = {
  events: "Report events",
  preflight: "Ask whether a deployment may start",
  skip_preflight: "Skip deployment rules",
};

const NEW_FIELDS: readonly FormField[] = [
  ...FIELDS,
  { name: "scopes", label: "What it may do", kind: "checks", choices: SCOPES, isRequired: true },
  { name: "lifetime", label: "Lifetime", kind: "choice", choices: LIFETIMES, member: "expires_at" },
];

interface NewKey {
  name: string;
  description?: string;
  scopes?: APIKeyScope[];
  lifetime?: string;
}

function CreateKey({ onCreated, onClose }: { onCreated: (key: CreatedAPIKey) => void; onClose: () => void }) {
  return (
    <CreateDialog
      title="Create an API key"
      fields={NEW_FIELDS}
      initial={{ scopes: "events" }}
      create={({ lifetime, ...key }: NewKey) =>
        createKey({
          ...key,
          ...(lifetime ? { expires_at: new Date(serverNow() + Number.parseInt(lifetime) * DAY).toISOString() } : {}),
        })
      }
      onCreated={onCreated}
      onClose={onClose}
    />
  );
}

function EditKey({ apiKey, onSaved, onClose }: { apiKey: APIKey; onSaved: () => void; onClose: () => void }) {
  return (
    <EditDialog
      title={`Edit ${apiKey.name}`}
      fields={FIELDS}
      load={() => loadKey(apiKey.id)}
      valuesOf={({ name, description }) => ({ name, description })}
      save={(patch: { name?: string; description?: string }, { etag }) => updateKey(apiKey.id, patch, etag)}
      onSaved={onSaved}
      onClose={onClose}
    />
  );
}

const GRACE_PERIODS: readonly FormField[] = [
  {
    name: "hours",
    label: "The old key works for",
    kind: "choice",
    choices: { 0: "None: it stops working now", 1: "1 hour", 24: "24 hours", 168: "7 days", 720: "30 days" },
  },
];

interface RotateKeyProps {
  apiKey: APIKey;
  onCreated: (key: CreatedAPIKey) => void;
  onClose: () => void;
}

function RotateKey({ apiKey, onCreated, onClose }: RotateKeyProps) {
  return (
    <CreateDialog
      title={`Rotate ${apiKey.name}`}
      action="Create the new key"
      fields={GRACE_PERIODS}
      initial={{ hours: "24" }}
      create={({ hours }: { hours: string }) => rotateKey(apiKey.id, Number(hours))}
      onCreated={onCreated}
      onClose={onClose}
    >
      <p className="text-muted">
        A new key with the same name is created. The old one works during the grace period, in which you put the new one
        into the secret store. If the key has leaked, revoke it instead.
      </p>
    </CreateDialog>
  );
}

function RevokeKey({ apiKey, onDone, onClose }: { apiKey: APIKey; onDone: () => void; onClose: () => void }) {
  return (
    <ConfirmDialog
      title={`Revoke ${apiKey.name}`}
      action="Revoke"
      confirmation="Revoke the key; nothing makes it valid again"
      run={async () => revokeKey(apiKey.id)}
      onDone={onDone}
      onClose={onClose}
    >
      Pipelines that use this key fail from now on. It was last used:{" "}
      {apiKey.last_used_at ? <Time at={apiKey.last_used_at} className="font-medium" /> : "never"}.
    </ConfirmDialog>
  );
}
