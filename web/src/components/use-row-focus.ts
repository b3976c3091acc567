import { type FocusEvent, type RefObject, useLayoutEffect, useRef } from "react";

import { focusFirst, hasFocus, sectionOf } from "../lib/focus";

/**
 * Keeps the keyboard focus when the row that has it is removed: the row in its place gets it; after the last one the element of the list that
 * `after` matches, or the row before; and after the only one the section around the list. The row may go while a dialog over the list is open.
 * Returns the properties of the list.
 */
export function useRowFocus<List extends HTMLElement>(list: RefObject<List | null>, rows: string, after?: string) {
  const last = useRef<{ control: Element; index: number }>(null);
  const all = () => [...(list.current?.querySelectorAll<HTMLElement>(rows) ?? [])];
  const isCovered = () => [...document.querySelectorAll("dialog[open]")].some((one) => !one.contains(list.current));
  useLayoutEffect(() => {
    if (!last.current || last.current.control.isConnected || isCovered()) return;
    const row = all()[last.current.index];
    last.current = null;
    if (hasFocus()) return;
    if (row || !after) focusFirst(row ?? all().at(-1));
    else list.current?.querySelector<HTMLElement>(after)?.focus();
  });
  useLayoutEffect(() => {
    const section = sectionOf(list.current);
    return () => {
      if (!list.current?.contains(document.activeElement)) return;
      queueMicrotask(() => section?.isConnected && !hasFocus() && focusFirst(section));
    };
  }, [list]);
  return {
    onFocus: ({ target }: FocusEvent) => {
      last.current = { control: target, index: all().findIndex((row) => row.contains(target)) };
    },
    onBlur: ({ target }: FocusEvent) => {
      if (target.isConnected && document.hasFocus() && !isCovered()) last.current = null;
    },
  };
}
