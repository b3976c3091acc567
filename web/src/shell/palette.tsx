import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useDeferredValue, useId, useState } from "react";

import { sessionQuery } from "../api/session";
import { paletteQuery } from "../api/palette";
import { Dialog } from "../components/dialog";
import { cx } from "../lib/cx";
import { navigation } from "./navigation";

interface Entry {
  id: string;
  kind: string;
  text: string;
  to: string;
}

/** Finds pages, products, environments, releases and rules by a part of their name, and versions by its beginning or by words of their product and its beginning. */
export function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const entries = useEntries(text.trim());
  const listId = useId();
  const navigate = useNavigate();
  const at = Math.min(chosen, entries.length - 1);
  const open = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    void navigate({ href: entry.to });
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === "Enter") open(entries[at]);
    else if (event.key === "ArrowDown") setChosen(entries.length === 0 ? 0 : (at + 1) % entries.length);
    else if (event.key === "ArrowUp") setChosen(entries.length === 0 ? 0 : (at - 1 + entries.length) % entries.length);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Search" hideTitle onClose={onClose}>
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={entries[at] ? `${listId}-${at}` : undefined}
        aria-label="Search pages and objects by name"
        placeholder="Search a product, version, release, page …"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setChosen(0);
        }}
        onKeyDown={onKeyDown}
        className="h-12 w-full border-b border-line bg-surface px-4 text-lg outline-none placeholder:text-muted"
      />
      <ul id={listId} role="listbox" aria-label="Results" className="h-80 overflow-y-auto p-1.5">
        {entries.map((entry, index) => (
          <li
            key={entry.id}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === at}
            ref={index === at ? (element) => element?.scrollIntoView({ block: "nearest" }) : null}
            onClick={() => open(entry)}
            className={cx(
              "flex min-h-9 cursor-pointer items-center justify-between gap-3 rounded-md px-2.5",
              index === at && "bg-raised",
            )}
          >
            <bdi className="min-w-0 truncate">{entry.text}</bdi>
            <span className="shrink-0 text-xs text-muted">{entry.kind}</span>
          </li>
        ))}
        {entries.length === 0 ? <li className="px-2.5 py-2 text-muted">Nothing has this in its name.</li> : null}
      </ul>
    </Dialog>
  );
}

function useEntries(text: string): Entry[] {
  const { data: user } = useQuery(sessionQuery);
  const deferred = useDeferredValue(text);
  const { data: found = [] } = useQuery({ ...paletteQuery(deferred), placeholderData: keepPreviousData });
  const pages = navigation
    .flatMap(({ items }) => items)
    .filter(
      ({ label, permission }) =>
        label.toLowerCase().includes(text.toLowerCase()) && (!permission || user?.permissions.includes(permission)),
    )
    .map(({ to, label }) => ({ id: to, kind: "Page", text: label, to }));
  return [...pages, ...(text === "" ? [] : found)];
}
