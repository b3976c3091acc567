import { type ComponentProps, type ReactNode, useId } from "react";

import { cx } from "../lib/cx";

const CONTROL =
  "min-h-8 w-full rounded-md border border-line-strong bg-surface px-2.5 py-1 text-base text-text placeholder:text-muted aria-invalid:border-bad";

interface FieldProps {
  label: string;
  help?: ReactNode;
  /** The problem of the value; the server's message, or the page's own. */
  problem?: string | undefined;
  hideLabel?: boolean;
  className?: string | undefined;
}

function Frame({
  id,
  label,
  help,
  problem,
  hideLabel,
  className,
  children,
}: FieldProps & { id: string; children: ReactNode }) {
  return (
    <div className={cx("flex flex-col gap-1", className)}>
      <label htmlFor={id} className={hideLabel ? "sr-only" : "text-sm font-medium"}>
        {label}
      </label>
      {children}
      {help ? (
        <p id={`${id}-help`} className="text-sm text-muted">
          {help}
        </p>
      ) : null}
      {problem ? (
        <p id={`${id}-problem`} className="text-sm text-bad">
          {problem}
        </p>
      ) : null}
    </div>
  );
}

function described(id: string, help: ReactNode, problem: string | undefined): string | undefined {
  return cx(help ? `${id}-help` : null, problem ? `${id}-problem` : null) || undefined;
}

/** A text field with its label, help and problem. */
export function TextField({
  label,
  help,
  problem,
  hideLabel,
  className,
  ...props
}: FieldProps & Omit<ComponentProps<"input">, "className">) {
  const id = useId();
  return (
    <Frame {...{ id, label, help, problem, className }} hideLabel={hideLabel ?? false}>
      <input
        id={id}
        {...props}
        className={CONTROL}
        aria-invalid={problem ? true : undefined}
        aria-describedby={described(id, help, problem)}
      />
    </Frame>
  );
}

/** A field for several lines. */
export function TextArea({
  label,
  help,
  problem,
  hideLabel,
  className,
  ...props
}: FieldProps & Omit<ComponentProps<"textarea">, "className">) {
  const id = useId();
  return (
    <Frame {...{ id, label, help, problem, className }} hideLabel={hideLabel ?? false}>
      <textarea
        id={id}
        rows={3}
        {...props}
        className={CONTROL}
        aria-invalid={problem ? true : undefined}
        aria-describedby={described(id, help, problem)}
      />
    </Frame>
  );
}

/** A choice of a few values, with the control of the browser. */
export function SelectField({
  label,
  help,
  problem,
  hideLabel,
  className,
  children,
  ...props
}: FieldProps & Omit<ComponentProps<"select">, "className">) {
  const id = useId();
  return (
    <Frame {...{ id, label, help, problem, className }} hideLabel={hideLabel ?? false}>
      <select
        id={id}
        {...props}
        className={CONTROL}
        aria-invalid={problem ? true : undefined}
        aria-describedby={described(id, help, problem)}
      >
        {children}
      </select>
    </Frame>
  );
}

/** A switch with its text. */
export function CheckField({
  label,
  isChecked,
  onChange,
}: {
  label: string;
  isChecked: boolean;
  onChange: (isChecked: boolean) => void;
}) {
  return (
    <label className="flex min-h-8 items-start gap-2 py-1">
      <input
        type="checkbox"
        className="mt-0.5 size-4 shrink-0 accent-accent"
        checked={isChecked}
        onChange={(event) => onChange(event.target.checked)}
      />
      {label}
    </label>
  );
}
