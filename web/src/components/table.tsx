import type { ComponentProps, ReactNode } from "react";

import { cx } from "../lib/cx";

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
  return (
    <table
      aria-label={label}
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
      <tbody className="divide-y divide-line">{children}</tbody>
    </table>
  );
}

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
