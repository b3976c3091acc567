/** Whether an element has the keyboard focus. */
export const hasFocus = () => document.activeElement !== null && document.activeElement !== document.body;

/** Focuses the first field of an element, else its first button or link. */
export function focusFirst(element: Element | null | undefined): void {
  const field = element?.querySelector<HTMLElement>(":is(input, select, textarea):enabled");
  (field ?? element?.querySelector<HTMLElement>("button:enabled, a[href]"))?.focus({ preventScroll: true });
}

/** The part of a page around an element, which stays when the element goes. */
export const sectionOf = (element: Element | null | undefined) => element?.parentElement?.closest("section, dialog");
