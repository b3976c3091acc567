import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";

import type { Revised } from "../api/lists";
import { usePermission } from "../api/session";
import { Button } from "../components/button";
import { CopyButton } from "../components/copy-button";
import { MetadataPanel } from "../components/json";
import { Trail } from "../components/loaded";
import { Name } from "../components/name";
import { ReadOnlyNote } from "../components/no-permission";
import { Page } from "../components/page";
import { ScriptPanel } from "../components/script-panel";
import { ConfirmDialog } from "./confirm-dialog";
import { EditDialog } from "./edit-dialog";
import type { FormFields, Values } from "./fields";

/** How objects of a kind are changed and deleted. */
export interface Editing<T, Body> {
  fields: FormFields;
  valuesOf: (object: T) => Values;
  load: (id: string) => Promise<Revised<T>>;
  change: (id: string, patch: Body, etag: string | undefined) => PromiseLike<unknown>;
  remove: (id: string, etag: string | undefined) => PromiseLike<unknown>;
  /** What the user agrees to before the object is deleted, and what follows from it, after the object's name. */
  confirmation: string;
  consequence: string;
  /** Whether the form has much in it. */
  isWide?: boolean;
}

interface ObjectPageProps<T, Body> {
  revised: Revised<T>;
  list: { to: string; label: string };
  editing: Editing<T, Body>;
  /** The permission to change and delete the object, and what it permits, for users without it. */
  permission: string;
  changes: string;
  /** Whether the object can be changed and deleted as it is now; by default it can. */
  isEditable?: boolean;
  isDeletable?: boolean;
  /** What follows the link to the list. */
  trail?: ReactNode;
  /** Actions before those that change the object. */
  actions?: ReactNode;
  metadata?: Readonly<Record<string, unknown>>;
  /** What follows the fields of the form. */
  formNote?: ReactNode;
  script: { path: string; query?: Record<string, string> };
  children: ReactNode;
}

type DialogName = "edit" | "delete" | null;

/** The page of an object with a name that users edit: its actions, its content, its metadata and how a script reads it. */
export function ObjectPage<T extends { id: string; name: string; description?: string }, Body>({
  revised,
  list,
  editing,
  permission,
  changes,
  isEditable = true,
  isDeletable = true,
  trail,
  actions,
  metadata,
  formNote,
  script,
  children,
}: ObjectPageProps<T, Body>) {
  const { id, name, description } = revised.object;
  const mayWrite = usePermission(permission);
  const [dialog, setDialog] = useState<DialogName>(null);
  return (
    <Page
      title={name}
      lead={
        <>
          <Trail {...list}>{trail}</Trail>
          {description ? <Name className="whitespace-pre-wrap">{description}</Name> : null}
        </>
      }
      actions={
        <>
          {actions}
          {mayWrite && isEditable ? <Button onClick={() => setDialog("edit")}>Edit</Button> : null}
          {mayWrite && isDeletable ? (
            <Button kind="danger" onClick={() => setDialog("delete")}>
              Delete
            </Button>
          ) : null}
          <CopyButton text={id} label="Copy the identifier" iconOnly />
        </>
      }
    >
      <ReadOnlyNote permission={permission} what={changes} />
      {children}
      {metadata ? <MetadataPanel data={metadata} /> : null}
      <ScriptPanel {...script} />
      <Dialogs open={dialog} {...{ revised, editing, formNote }} list={list.to} onClose={() => setDialog(null)} />
    </Page>
  );
}

interface DialogsProps<T, Body> {
  open: DialogName;
  revised: Revised<T>;
  editing: Editing<T, Body>;
  formNote: ReactNode;
  list: string;
  onClose: () => void;
}

function Dialogs<T extends { id: string; name: string }, Body>({
  open,
  revised,
  editing,
  formNote,
  list,
  onClose,
}: DialogsProps<T, Body>) {
  const navigate = useNavigate();
  const { id, name } = revised.object;
  if (open === null) return null;
  if (open === "edit") {
    return (
      <EditDialog
        title={`Edit ${name}`}
        fields={editing.fields}
        revised={revised}
        load={() => editing.load(id)}
        valuesOf={editing.valuesOf}
        save={(patch: Body, { etag }) => editing.change(id, patch, etag)}
        isWide={editing.isWide ?? false}
        onClose={onClose}
      >
        {formNote}
      </EditDialog>
    );
  }
  return (
    <ConfirmDialog
      title={`Delete ${name}`}
      action="Delete"
      confirmation={editing.confirmation}
      run={async () => editing.remove(id, revised.etag)}
      reload={() => editing.load(id)}
      onDone={() => void navigate({ to: list as "/" })}
      onClose={onClose}
    >
      <Name className="font-semibold">{name}</Name>
      {editing.consequence}
    </ConfirmDialog>
  );
}
