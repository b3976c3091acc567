import { type ReactNode, useEffect, useId, useRef } from "react";

import { cx } from "../lib/cx";
import { focusFirst, hasFocus, sectionOf } from "../lib/focus";
import { Button } from "./button";
import { CloseIcon } from "./icons";

const SHAPES = {
  center: "m-auto w-[min(32rem,calc(100vw-2rem))] max-h-[calc(100dvh-2rem)] rounded-xl",
  wide: "m-auto w-[min(48rem,calc(100vw-2rem))] max-h-[calc(100dvh-2rem)] rounded-xl",
  side: "my-0 mr-0 ml-auto h-dvh max-h-dvh w-[min(30rem,100vw)] max-w-full rounded-none border-y-0 border-r-0",
  left: "my-0 mr-auto ml-0 h-dvh max-h-dvh w-[min(17rem,85vw)] rounded-none border-y-0 border-l-0",
} as const;

const FIELD = ":is(input:not([type=checkbox]), select, textarea):enabled";

export interface DialogProps {
  title: string;
  onClose: () => void;
  shape?: keyof typeof SHAPES;
  /** Whether the title is for screen readers only. */
  hideTitle?: boolean;
  /** Whether the dialog has no button to close it: its content has another one. */
  hideClose?: boolean;
  children: ReactNode;
}

/**
 * A modal dialog: the native element keeps the focus inside, closes with Esc and returns the focus, to the section of a button that is gone. It
 * is open while it is mounted. The first field has the focus.
 */
export function Dialog({
  title,
  onClose,
  shape = "center",
  hideTitle = false,
  hideClose = false,
  children,
}: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    const section = sectionOf(before);
    dialog?.showModal();
    // The browser would focus the button to close, which is first.
    if (shape === "center" || shape === "wide") content.current?.querySelector<HTMLElement>(FIELD)?.focus();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
      if (!before?.isConnected && !hasFocus()) focusFirst(section);
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={titleId}
      className={cx("flex-col overflow-hidden border border-line bg-surface p-0 shadow-2xl open:flex", SHAPES[shape])}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => event.target === event.currentTarget && onClose()}
    >
      <div
        className={
          hideTitle
            ? "sr-only"
            : "flex min-h-12 shrink-0 items-center justify-between gap-3 border-b border-line pr-2 pl-4"
        }
      >
        <h2 id={titleId} className="min-w-0 truncate text-lg font-semibold">
          <bdi>{title}</bdi>
        </h2>
        {hideClose ? null : (
          <Button kind="quiet" small aria-label="Close" onClick={onClose}>
            <CloseIcon />
          </Button>
        )}
      </div>
      <div ref={content} className="min-h-0 grow overflow-y-auto">
        {children}
      </div>
    </dialog>
  );
}
