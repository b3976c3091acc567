import { useMutation, useQuery } from "@tanstack/react-query";
import { PreconditionFailed } from "@versioner/client";
import { type ReactNode, useId, useState } from "react";

import type { Revised } from "../api/lists";
import { Dialog } from "../components/dialog";
import { WhenLoaded } from "../components/states";
import { ConflictNotice } from "./conflict-notice";
import { bodyOf, type FormFields, patchOf, type Values } from "./fields";
import { FormDialog } from "./form-dialog";
import { Inputs } from "./inputs";
import { useFields } from "./use-fields";

interface EditDialogProps<T, Body> {
  title: string;
  fields: FormFields;
  /** The object as the page shows it; without it, the dialog reads the object when it opens. */
  revised?: Revised<T>;
  load: () => Promise<Revised<T>>;
  valuesOf: (object: T) => Values;
  /** Sends the values that have changed since `before`; `body` has all of the form that are not empty. */
  save: (patch: Body, revision: Revised<T>, body: Body, before: T) => PromiseLike<unknown>;
  onSaved?: () => void;
  onClose: () => void;
  isWide?: boolean;
  /** What follows the fields. */
  children?: ReactNode;
}

/**
 * A dialog that changes an object, if it is still as it was when the dialog was opened. If it is not (412), the dialog shows both versions,
 * and the user decides; what was typed stays.
 */
export function EditDialog<T, Body>(props: EditDialogProps<T, Body>) {
  const query = useQuery({
    queryKey: ["edited", useId()],
    queryFn: props.load,
    enabled: !props.revised,
    gcTime: 0,
    staleTime: Infinity,
  });
  const opened = props.revised ?? query.data;
  if (opened) return <Form {...props} opened={opened} />;
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <WhenLoaded query={query} skeletons={4}>
        {() => null}
      </WhenLoaded>
    </Dialog>
  );
}

function Form<T, Body>({
  title,
  fields,
  opened,
  load,
  valuesOf,
  save,
  onSaved,
  onClose,
  isWide = false,
  children,
}: EditDialogProps<T, Body> & { opened: Revised<T> }) {
  const [base, setBase] = useState(opened); // polls change the property
  const [conflict, setConflict] = useState<Revised<T> | null>(null);
  const before = valuesOf(base.object);
  const { mutate, isPending, error } = useMutation({
    mutationFn: async (revision: Revised<T>) => {
      const patch = patchOf<Body>(form.fields, before, form.values);
      try {
        if (patch) await save(patch, revision, bodyOf<Body>(form.fields, form.values), base.object);
        return true;
      } catch (failure) {
        if (!(failure instanceof PreconditionFailed)) throw failure;
        setConflict(await load());
        return false;
      }
    },
    onSuccess: (isSaved) => {
      if (!isSaved) return;
      onSaved?.();
      onClose();
    },
  });
  const form = useFields(fields, before, error);
  const isDirty = form.fields.some(({ name }) => form.values[name] !== before[name]);
  const submit = (revision: Revised<T>) => {
    if (!form.check()) return;
    setConflict(null);
    mutate(revision);
  };
  return (
    <FormDialog
      title={title}
      action="Save"
      formRef={form.ref}
      isWide={isWide}
      busy={isPending}
      error={error}
      shown={form.shown}
      isDirty={isDirty}
      isDisabled={!isDirty || conflict !== null}
      onSubmit={() => submit(base)}
      onClose={onClose}
    >
      <Inputs form={form} />
      {children}
      {conflict ? (
        <ConflictNotice
          fields={form.fields}
          before={before}
          saved={valuesOf(conflict.object)}
          mine={form.values}
          busy={isPending}
          onTake={() => {
            setBase(conflict);
            form.setValues(valuesOf(conflict.object));
            setConflict(null);
          }}
          onOverwrite={() => submit(conflict)}
        />
      ) : null}
    </FormDialog>
  );
}
