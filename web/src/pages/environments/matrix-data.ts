import type { EnvironmentType } from "@versioner/client";

import { byName } from "../../lib/by-name";
import type { Search } from "../../lib/search";
import { type Cell, type CellState, cellState, isFine } from "./cell-state";

/** A row of the matrix: a product with its cells by the identifier of the environment. */
export interface Row {
  id: string;
  name: string;
  cells: ReadonlyMap<string, Cell>;
}

export interface Column {
  id: string;
  name: string;
  type: EnvironmentType;
  /** Whether it stands for all review environments of its type. */
  isFolded: boolean;
}

/** Types in the order of the columns: what users look for first is on the left. */
export const TYPES: readonly EnvironmentType[] = ["production", "staging", "test", "dev", "other"];

export const TYPE_NAMES: Record<EnvironmentType, string> = {
  production: "Production",
  staging: "Staging",
  test: "Test",
  dev: "Development",
  other: "Other",
};

const REVIEW_WORDS = /(^|[^a-z0-9])(review|pr|mr|feature|branch|ephemeral)\d*([^a-z0-9]|$)/i;

/** One of many previews: `preview` alone is an environment that stays. */
const NUMBERED_PREVIEW = /(^|[^a-z0-9])preview[^a-z0-9]*\d+([^a-z0-9]|$)/i;

/** Reports whether the environment belongs to a branch or a merge request: there may be hundreds of them. */
export function isReview({ name, type }: { name: string; type: EnvironmentType }): boolean {
  if (type === "dev" && REVIEW_WORDS.test(name)) return true;
  return type !== "production" && NUMBERED_PREVIEW.test(name);
}

/** The column that stands for the review environments of a type: `dev` unless their names or users say otherwise. */
export function reviewColumn(type: EnvironmentType): Column {
  const name = type === "dev" ? "Review" : `Review (${TYPE_NAMES[type].toLowerCase()})`;
  return { id: `review-${type}`, name, type, isFolded: true };
}

/** The environments of the cells as columns, by type and name. Those of reviews are one column for each type unless they are unfolded. */
export function columnsOf(cells: readonly Cell[], unfold: boolean): Column[] {
  const columns = new Map<string, Column>();
  for (const cell of cells) {
    const column = {
      id: cell.environment_id,
      name: cell.environment_name,
      type: cell.environment_type,
      isFolded: false,
    };
    const shown = !unfold && isReview(column) ? reviewColumn(column.type) : column;
    columns.set(shown.id, shown);
  }
  return [...columns.values()].sort(
    (a, b) =>
      TYPES.indexOf(a.type) - TYPES.indexOf(b.type) ||
      Number(a.isFolded) - Number(b.isFolded) ||
      byName(a.name, b.name),
  );
}

/**
 * The cells as rows, by name. A row of which no cell has changed is the same object as before, so that it is not rendered again.
 */
export function rowsOf(cells: readonly Cell[], before: readonly Row[]): Row[] {
  const grouped = new Map<string, Map<string, Cell>>();
  const names = new Map<string, string>();
  for (const cell of cells) {
    const row = grouped.get(cell.product_id) ?? new Map<string, Cell>();
    grouped.set(cell.product_id, row.set(cell.environment_id, cell));
    names.set(cell.product_id, cell.product_name);
  }
  const known = new Map(before.map((row) => [row.id, row]));
  return [...grouped]
    .map(([id, row]) => reused(known.get(id), { id, name: names.get(id) ?? "", cells: row }))
    .sort((a, b) => byName(a.name, b.name));
}

function reused(before: Row | undefined, after: Row): Row {
  if (!before || before.name !== after.name || before.cells.size !== after.cells.size) return after;
  for (const [id, cell] of after.cells) if (!isSame(before.cells.get(id), cell)) return after;
  return before;
}

function isSame(a: Cell | undefined, b: Cell): boolean {
  if (a === b) return true;
  return a !== undefined && (Object.keys(b) as (keyof Cell)[]).every((key) => a[key] === b[key]);
}

/** The parameters `q` (a part of the name of the product), `type`, `environment` (a name) and `state`. */
export type Filters = Search;

/** The columns that the filters leave. */
export function filterColumns(columns: readonly Column[], { type, environment }: Filters): Column[] {
  return columns.filter((column) => (!type || column.type === type) && (!environment || column.name === environment));
}

/** The rows that the filters leave: of these products, with a cell in that state in one of the columns. */
export function filterRows(rows: readonly Row[], columns: readonly Column[], { q, state }: Filters): Row[] {
  const text = q?.trim().toLowerCase() ?? "";
  const isShown = (row: Row) =>
    columns.some((column) => cellsOf(row, column).some((cell) => !state || cellState(cell) === state));
  return rows.filter((row) => row.name.toLowerCase().includes(text) && isShown(row));
}

/** The cells of a row in a column: one, none, or those of the review environments of its type. */
export function cellsOf(row: Row, column: Column): Cell[] {
  if (!column.isFolded) {
    const cell = row.cells.get(column.id);
    return cell ? [cell] : [];
  }
  return [...row.cells.values()].filter(
    ({ environment_name: name, environment_type: type }) => type === column.type && isReview({ name, type }),
  );
}

export interface Summary {
  type: EnvironmentType;
  fine: number;
  counts: Partial<Record<CellState, number>>;
}

/** How many products are fine in each type of environment, and how many are not. */
export function summaries(cells: readonly Cell[]): Summary[] {
  const byType = new Map<EnvironmentType, Summary>();
  for (const cell of cells) {
    const summary = byType.get(cell.environment_type) ?? { type: cell.environment_type, fine: 0, counts: {} };
    const state = cellState(cell);
    if (isFine(state)) summary.fine += 1;
    summary.counts[state] = (summary.counts[state] ?? 0) + 1;
    byType.set(cell.environment_type, summary);
  }
  return TYPES.flatMap((type) => byType.get(type) ?? []);
}
