import { useMutation } from "@tanstack/react-query";
import { PreconditionFailed } from "@versioner/client";
import { type FormEvent, useState } from "react";

import type { Revised } from "../api/lists";
import { bodyOf, type FormField, patchOf, type Problems, problemsOf, serverProblems, type Values } from "../lib/form";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { SelectField, TextArea, TextField } from "./field";
import { InlineError } from "./states";

/** A dialog that creates an object. */
export function CreateDialog<Body, Created>({
  title,
  fields,
  initial = {},
  create,
  onCreated,
  onClose,
}: {
  title: string;
  fields: readonly FormField[];
  initial?: Values;
  create: (body: Body) => Promise<Created>;
  onCreated: (created: Created) => void;
  onClose: () => void;
}) {
  const [values, setValues] = useState<Values>(initial);
  const [problems, setProblems] = useState<Problems>({});
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => create(bodyOf<Body>(fields, values)),
    onSuccess: onCreated,
  });
  const submit = () => {
    const found = problemsOf(fields, values);
    setProblems(found);
    if (Object.keys(found).length === 0) mutate();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <Form
        {...{ fields, values, problems, error, onClose }}
        isBusy={isPending}
        onChange={setValues}
        onSubmit={submit}
      />
    </Dialog>
  );
}

/**
 * A dialog that changes an object, if it is still as it was when the dialog was opened. If it is not, the dialog shows both, and
 * the user decides; what was typed stays.
 */
export function EditDialog<T, Body>({
  title,
  fields,
  revised,
  valuesOf,
  reload,
  save,
  onClose,
}: {
  title: string;
  fields: readonly FormField[];
  revised: Revised<T>;
  valuesOf: (object: T) => Values;
  reload: () => Promise<Revised<T>>;
  save: (patch: Body, etag: string | undefined) => Promise<unknown>;
  onClose: () => void;
}) {
  const [opened] = useState(revised); // polls change the property
  const [base] = useState(() => valuesOf(opened.object));
  const [current, setCurrent] = useState(opened);
  const [values, setValues] = useState(base);
  const [problems, setProblems] = useState<Problems>({});
  const { mutate, isPending, error } = useMutation({
    mutationFn: async () => {
      const patch = patchOf<Body>(fields, base, values);
      if (patch) await save(patch, current.etag);
    },
    onSuccess: onClose,
    onError: async (failure) => {
      if (failure instanceof PreconditionFailed) setCurrent(await reload());
    },
  });
  const isConflict = current !== opened;
  const submit = () => {
    const found = problemsOf(fields, values);
    setProblems(found);
    if (Object.keys(found).length === 0) mutate();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      {isConflict ? <Conflict fields={fields} before={base} now={valuesOf(current.object)} mine={values} /> : null}
      <Form
        {...{ fields, values, problems, onClose }}
        error={error instanceof PreconditionFailed ? null : error}
        isBusy={isPending}
        saveLabel={isConflict ? "Save my changes anyway" : "Save"}
        closeLabel={isConflict ? "Discard my changes" : "Cancel"}
        onChange={setValues}
        onSubmit={submit}
      />
    </Dialog>
  );
}

interface ConflictProps {
  fields: readonly FormField[];
  before: Values;
  now: Values;
  mine: Values;
}

/** The fields that differ between the object as it is now and the form. */
function Conflict({ fields, before, now, mine }: ConflictProps) {
  const different = fields.filter(({ name }) => now[name] !== mine[name]);
  return (
    <section role="alert" className="border-b border-line bg-warn-soft px-4 py-3">
      <h3 className="font-semibold text-warn">Another user has changed this since you opened it</h3>
      <p className="text-sm">
        Nothing has been saved. Saving again changes only the fields that you changed, and replaces their present
        values.
      </p>
      <dl className="mt-2 flex flex-col gap-2">
        {different.map(({ name, label }) => (
          <div key={name} className="rounded-md border border-line bg-surface px-3 py-2">
            <dt className="text-sm font-medium">{label}</dt>
            <dd className="grid gap-x-4 gap-y-1 text-sm sm:grid-cols-2">
              <Side title="Now on the server" text={now[name] ?? ""} />
              <Side title={before[name] === mine[name] ? "When you opened it" : "Yours"} text={mine[name] ?? ""} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Side({ title, text }: { title: string; text: string }) {
  return (
    <div className="min-w-0">
      <div className="text-xs text-muted">{title}</div>
      <bdi className="block whitespace-pre-wrap">{text || "(empty)"}</bdi>
    </div>
  );
}

interface FormProps {
  fields: readonly FormField[];
  values: Values;
  problems: Problems;
  error: unknown;
  isBusy: boolean;
  saveLabel?: string;
  closeLabel?: string;
  onChange: (values: Values) => void;
  onSubmit: () => void;
  onClose: () => void;
}

function Form({
  fields,
  values,
  problems,
  error,
  isBusy,
  saveLabel = "Save",
  closeLabel = "Cancel",
  onChange,
  onSubmit,
  onClose,
}: FormProps) {
  const server = serverProblems(fields, error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <form noValidate onSubmit={submit} className="flex flex-col gap-4 p-4">
      {fields.map((field, index) => (
        <Input
          key={field.name}
          field={field}
          isFirst={index === 0}
          value={values[field.name] ?? ""}
          problem={problems[field.name] ?? server.problems[field.name]}
          onChange={(text) => onChange({ ...values, [field.name]: text })}
        />
      ))}
      {server.isComplete ? null : <InlineError error={error} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{closeLabel}</Button>
        <Button type="submit" kind="primary" busy={isBusy}>
          {saveLabel}
        </Button>
      </div>
    </form>
  );
}

interface InputProps {
  field: FormField;
  isFirst: boolean;
  value: string;
  problem: string | undefined;
  onChange: (text: string) => void;
}

function Input({ field: { label, kind, help, choices, isRequired }, isFirst, value, problem, onChange }: InputProps) {
  const common = {
    label,
    help,
    problem,
    value,
    "aria-required": isRequired,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  };
  if (kind === "choice") {
    return (
      <SelectField {...common}>
        {Object.entries(choices ?? {}).map(([choice, word]) => (
          <option key={choice} value={choice}>
            {word}
          </option>
        ))}
      </SelectField>
    );
  }
  if (kind === "text") return <TextField {...common} autoFocus={isFirst} dir="auto" autoComplete="off" />;
  return <TextArea {...common} rows={kind === "json" ? 5 : 3} dir="auto" spellCheck={kind !== "json"} />;
}
