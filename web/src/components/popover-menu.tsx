import { type KeyboardEvent, type ReactNode, useId, useRef } from "react";

import { cx } from "../lib/cx";

const ITEM = "[role=menuitem],[role=menuitemradio]";

/** A menu in a native popover below or above its button: arrows, Home, End, Tab and Esc as in the menus of the system. */
export function PopoverMenu({
  label,
  button,
  className,
  children,
}: {
  label: string;
  button: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  const id = useId();
  const menu = useRef<HTMLDivElement>(null);
  const trigger = useRef<HTMLButtonElement>(null);
  const items = () => [...(menu.current?.querySelectorAll<HTMLElement>(ITEM) ?? [])];
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Tab") menu.current?.hidePopover(); // the focus returns to the button, and goes on from there
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    all.at(next >= all.length ? 0 : next)?.focus();
  };
  const onToggle = () => {
    const isOpen = menu.current?.matches(":popover-open") ?? false;
    trigger.current?.setAttribute("aria-expanded", String(isOpen));
    if (isOpen && trigger.current && menu.current) place(menu.current, trigger.current);
    if (isOpen) items()[0]?.focus();
  };
  return (
    <>
      <button
        ref={trigger}
        type="button"
        popoverTarget={id}
        aria-haspopup="menu"
        aria-expanded={false}
        className={className}
      >
        {button}
      </button>
      <div
        ref={menu}
        id={id}
        popover="auto"
        role="menu"
        aria-label={label}
        tabIndex={-1}
        onKeyDown={onKeyDown}
        onToggle={onToggle}
        onClick={(event) =>
          event.target instanceof Element && event.target.closest("[role=menuitem]") && menu.current?.hidePopover()
        }
        className="fixed m-0 w-60 rounded-lg border border-line bg-surface p-1 text-text shadow-xl"
      >
        {children}
      </div>
    </>
  );
}

/** Puts the menu beside its button, on the side with more space. */
function place(menu: HTMLElement, trigger: HTMLElement): void {
  const { top, bottom, left } = trigger.getBoundingClientRect();
  const isBelow = top < innerHeight / 2;
  const margin = 8;
  menu.style.left = `${Math.max(margin, Math.min(left, innerWidth - menu.offsetWidth - margin))}px`;
  menu.style.top = isBelow ? `${bottom + 4}px` : "auto";
  menu.style.bottom = isBelow ? "auto" : `${innerHeight - top + 4}px`;
}

const ITEM_CLASS =
  "flex min-h-8 w-full items-center gap-2 rounded px-2 text-left hover:bg-raised focus-visible:bg-raised";

export function MenuButton({ children, ...props }: React.ComponentProps<"button">) {
  return (
    <button type="button" role="menuitem" tabIndex={-1} {...props} className={ITEM_CLASS}>
      {children}
    </button>
  );
}

export function MenuRadio({ checked, children, ...props }: React.ComponentProps<"button"> & { checked: boolean }) {
  return (
    <button type="button" role="menuitemradio" aria-checked={checked} tabIndex={-1} {...props} className={ITEM_CLASS}>
      <span aria-hidden="true" className={cx("w-4 text-center text-accent", !checked && "invisible")}>
        ✓
      </span>
      {children}
    </button>
  );
}
