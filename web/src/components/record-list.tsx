import { type ReactNode, useRef } from "react";

import { useRowFocus } from "./use-row-focus";

/** The objects of a list as rows, which wrap on narrow windows. */
export function RecordList({ label, isDimmed, children }: { label: string; isDimmed?: boolean; children: ReactNode }) {
  const list = useRef<HTMLUListElement>(null);
  return (
    <ul
      ref={list}
      aria-label={label}
      className={isDimmed ? "divide-y divide-line opacity-60" : "divide-y divide-line"}
      {...useRowFocus(list, ":scope > li")}
    >
      {children}
    </ul>
  );
}

/** A row: what it is, facts about it, and its actions. */
export function RecordRow({
  title,
  facts,
  actions,
  children,
}: {
  title: ReactNode;
  facts?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <li className="flex flex-wrap items-start justify-between gap-x-6 gap-y-2 px-4 py-3">
      <div className="flex min-w-0 basis-80 grow flex-col gap-1">
        <div className="flex flex-wrap items-center gap-x-2 gap-y-1">{title}</div>
        {facts ? <div className="flex flex-wrap gap-x-4 gap-y-0.5 text-sm text-muted">{facts}</div> : null}
        {children}
      </div>
      {actions ? <div className="flex flex-wrap items-center gap-2">{actions}</div> : null}
    </li>
  );
}

/** A fact of a row: its name and its value. */
export function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <span className="min-w-0">
      {label} <span className="text-text">{children}</span>
    </span>
  );
}
