import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";

import { Dialog } from "../components/dialog";
import { createStore, useStore } from "../lib/store";
import { navigation } from "./navigation";

const KEY = "versioner.shortcuts";

/** Whether single letters are shortcuts. Users of voice control switch them off; Ctrl K stays. */
const areLettersOn = createStore(localStorage.getItem(KEY) !== "off");

function switchLetters(on: boolean): void {
  if (on) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, "off");
  areLettersOn.set(on);
}

const SEQUENCE_LIMIT = 1_500;

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

/** Handles Ctrl K, `/`, `?` and `g` with a letter. Letters are ignored in fields and while a dialog is open. */
export function useShortcuts({ openPalette, openHelp }: { openPalette: () => void; openHelp: () => void }): void {
  const navigate = useNavigate();
  const actions = useRef({ openPalette, openHelp });
  actions.current = { openPalette, openHelp };
  useEffect(() => {
    let sequenceStart = 0;
    const onKeyDown = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        if (!document.querySelector("dialog[open]")) actions.current.openPalette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (!areLettersOn.get() || document.querySelector("dialog[open]")) return;
      const isSequence = Date.now() - sequenceStart < SEQUENCE_LIMIT;
      sequenceStart = event.key === "g" ? Date.now() : 0;
      const item = isSequence
        ? navigation.flatMap(({ items }) => items).find(({ letter }) => letter === event.key)
        : undefined;
      const act = item
        ? () => void navigate({ to: item.to })
        : { "?": actions.current.openHelp, "/": focusFilter }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [navigate]);
}

/** Focuses the filter of the page, which has the attribute data-filter. */
function focusFilter(): void {
  const filter = document.querySelector<HTMLInputElement>("[data-filter]");
  filter?.focus();
  filter?.select();
}

function Keys({ children }: { children: string }) {
  return (
    <span className="flex gap-1">
      {children.split(" ").map((key) => (
        <kbd key={key} className="min-w-6 rounded border border-line-strong bg-raised px-1.5 text-center text-sm">
          {key}
        </kbd>
      ))}
    </span>
  );
}

/** The list of the shortcuts, and the switch of those that are single letters. */
export function ShortcutHelp({ onClose }: { onClose: () => void }) {
  const on = useStore(areLettersOn);
  const rows: [string, string][] = [
    ["Ctrl K", "Search products, versions, releases, pages and others by name"],
    ["/", "Filter this page"],
    ["?", "This list"],
    ...navigation.flatMap(({ items }) => items).map(({ letter, label }): [string, string] => [`g ${letter}`, label]),
  ];
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className="divide-y divide-line px-4">
        {rows.map(([keys, text]) => (
          <div key={keys} className="flex min-h-9 items-center justify-between">
            <dt>{text}</dt>
            <dd>
              <Keys>{keys}</Keys>
            </dd>
          </div>
        ))}
      </dl>
      <label className="flex min-h-12 items-center gap-2 border-t border-line px-4">
        <input
          type="checkbox"
          className="size-4 accent-accent"
          checked={on}
          onChange={(event) => switchLetters(event.target.checked)}
        />
        Shortcuts without Ctrl
      </label>
    </Dialog>
  );
}
