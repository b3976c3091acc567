import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";

import { bodyOf, type FormFields, type Values } from "./fields";
import { FormDialog } from "./form-dialog";
import { Inputs } from "./inputs";
import { useFields } from "./use-fields";

interface CreateDialogProps<Body, Created> {
  title: string;
  action?: string;
  fields: FormFields;
  initial?: Values;
  create: (body: Body) => PromiseLike<Created>;
  onCreated: (created: Created) => void;
  onClose: () => void;
  isWide?: boolean;
  /** What precedes the fields. */
  children?: ReactNode;
}

/** A dialog that creates an object from the values of its fields. */
export function CreateDialog<Body, Created>({
  title,
  action = "Create",
  fields,
  initial: given = {},
  create,
  onCreated,
  onClose,
  isWide = false,
  children,
}: CreateDialogProps<Body, Created>) {
  const [initial] = useState(given);
  const { mutate, isPending, error } = useMutation({
    mutationFn: async () => create(bodyOf<Body>(form.fields, form.values)),
    onSuccess: onCreated,
  });
  const form = useFields(fields, initial, error);
  const isDirty = form.fields.some(
    ({ name, kind }) => kind !== "choice" && (form.values[name] ?? "") !== (initial[name] ?? ""),
  );
  return (
    <FormDialog
      title={title}
      action={action}
      formRef={form.ref}
      isWide={isWide}
      busy={isPending}
      error={error}
      shown={form.shown}
      isDirty={isDirty}
      onSubmit={() => form.check() && mutate()}
      onClose={onClose}
    >
      {children}
      <Inputs form={form} />
    </FormDialog>
  );
}
