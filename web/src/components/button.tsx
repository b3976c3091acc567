import type { ComponentProps } from "react";

import { cx } from "../lib/cx";

const KINDS = {
  primary: "border-transparent bg-accent text-on-accent hover:brightness-110",
  secondary: "border-line-strong bg-surface text-text hover:bg-raised",
  danger: "border-bad/40 bg-surface text-bad hover:bg-bad-soft",
  quiet: "border-transparent text-muted hover:bg-raised hover:text-text",
} as const;

export interface ButtonProps extends ComponentProps<"button"> {
  kind?: keyof typeof KINDS;
  small?: boolean;
  busy?: boolean;
}

/** A button. `busy` disables it while its request runs; it keeps the focus, which the browser takes from buttons with `disabled`. */
export function Button({ kind = "secondary", small = false, busy = false, className, onClick, ...props }: ButtonProps) {
  return (
    <button
      type="button"
      {...props}
      onClick={busy ? (event) => event.preventDefault() : onClick}
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      className={cx(buttonClass(kind, small), className)}
    />
  );
}

/** The look of a button, for links that start something. */
export function buttonClass(kind: keyof typeof KINDS = "secondary", small = false): string {
  return cx(
    "inline-flex items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap select-none",
    "disabled:opacity-55 aria-busy:opacity-55",
    small ? "min-h-7 min-w-7 px-2 text-sm" : "min-h-8 px-3 text-base",
    KINDS[kind],
  );
}
