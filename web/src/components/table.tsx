import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { Children, type ComponentProps, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";

import { cx } from "../lib/cx";
import { useRowFocus } from "./use-row-focus";

/** A column: its title and from which width of the window it is shown. Rows repeat what narrow windows leave out. */
export interface Column {
  title: string;
  from?: "sm" | "md" | "lg" | "xl";
  /** Whether the title is for screen readers only. */
  hideTitle?: boolean;
  className?: string;
}

const FROM = {
  sm: "max-sm:hidden",
  md: "max-md:hidden",
  lg: "max-lg:hidden",
  xl: "max-xl:hidden",
} as const;

/** Above this number, only the rows in view exist. */
const ROW_LIMIT = 100;

/** A table of objects. */
export function Table({
  label,
  columns,
  isDimmed = false,
  children,
}: {
  label: string;
  columns: readonly Column[];
  isDimmed?: boolean;
  children: ReactNode;
}) {
  const rows = Children.toArray(children);
  return (
    <table
      aria-label={label}
      aria-rowcount={rows.length > ROW_LIMIT ? rows.length + 1 : undefined}
      className={cx("w-full table-fixed border-collapse text-left transition-opacity", isDimmed && "opacity-60")}
    >
      <thead className="border-b border-line text-xs text-muted">
        <tr>
          {columns.map(({ title, from, hideTitle, className }) => (
            <th
              key={title}
              scope="col"
              className={cx("h-8 px-2 font-medium sm:px-3 first:pl-4 last:pr-4", from && FROM[from], className)}
            >
              {hideTitle ? <span className="sr-only">{title}</span> : title}
            </th>
          ))}
        </tr>
      </thead>
      {rows.length > ROW_LIMIT ? <WindowedRows rows={rows} /> : <Rows rows={rows} />}
    </table>
  );
}

function Rows({ rows }: { rows: ReactNode[] }) {
  const body = useRef<HTMLTableSectionElement>(null);
  return (
    <tbody ref={body} className="divide-y divide-line" {...useRowFocus(body, ":scope > tr")}>
      {rows}
    </tbody>
  );
}

/** The rows in view of a long table, between spaces of the height of the others. All rows have about the height of the first one. */
function WindowedRows({ rows }: { rows: ReactNode[] }) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [{ height, top }, setPlace] = useState({ height: 41, top: 0 });
  useLayoutEffect(() => {
    const measure = () => {
      const element = body.current;
      const row = element?.querySelector<HTMLElement>("tr:not([aria-hidden])");
      if (element && row) setPlace({ height: row.offsetHeight, top: element.getBoundingClientRect().top + scrollY });
    };
    measure();
    addEventListener("resize", measure);
    return () => removeEventListener("resize", measure);
  }, []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => height,
    overscan: 15,
    scrollMargin: top,
  });
  useEffect(() => virtual.measure(), [virtual, height]);
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const end = (items.at(-1)?.index ?? -1) + 1;
  return (
    <tbody ref={body} className="divide-y divide-line">
      <Space height={first * height} />
      {rows.slice(first, end)}
      <Space height={(rows.length - end) * height} />
    </tbody>
  );
}

const Space = ({ height }: { height: number }) => (height > 0 ? <tr aria-hidden="true" style={{ height }} /> : null);

/** A cell of a {@link Table}; `from` is that of its column. */
export function Cell({ from, className, ...props }: ComponentProps<"td"> & { from?: keyof typeof FROM }) {
  return (
    <td
      {...props}
      className={cx("min-w-0 px-2 py-2 sm:px-3 align-baseline first:pl-4 last:pr-4", from && FROM[from], className)}
    />
  );
}

export const Row = (props: ComponentProps<"tr">) => <tr {...props} className="hover:bg-raised/60" />;
