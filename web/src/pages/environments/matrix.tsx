import { defaultRangeExtractor, type Range, useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import {
  type FocusEvent,
  type KeyboardEvent,
  type MouseEvent,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";

import { Name } from "../../components/name";
import { cellsOf, type Column, type Row } from "./matrix-data";
import { type ColumnWindow, MatrixRow, ROW_HEIGHT } from "./matrix-row";

/** Above this number, only the columns in view are rendered. */
const COLUMN_LIMIT = 20;
const COLUMN_WIDTH = 162;
const OVERSCAN = 6;
/** What covers the cells: the row of headers, and the names where they are widest. */
const HEADER_HEIGHT = 36;
const NAME_WIDTH = 192;

interface Position {
  row: number;
  column: number;
}

/** The cell that takes the focus, by its product and environment: polled data move it. The names have no environment. */
interface FocusedCell {
  product: string;
  environment: string | null;
}

export interface MatrixProps {
  rows: readonly Row[];
  columns: readonly Column[];
  onOpen: (row: Row, column: Column) => void;
  onOpenProduct: (row: Row) => void;
}

/**
 * Products and environments as a grid of the ARIA Authoring Practices: one cell takes the focus; arrows, Home, End, Page Up and Page Down
 * move it, Enter opens a cell or a product. Only the rows in view exist.
 */
export function Matrix({ rows, columns, onOpen, onOpenProduct }: MatrixProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const isFocusWanted = useRef(false);
  const [cell, setCell] = useState<FocusedCell | null>(null);
  const active = usePosition(cell, rows, columns);
  const vertical = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
    scrollPaddingStart: ROW_HEIGHT,
    scrollPaddingEnd: HEADER_HEIGHT,
    rangeExtractor: useMemo(() => withIndex(active.row), [active.row]),
  });
  const horizontal = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => COLUMN_WIDTH,
    overscan: 2,
    scrollPaddingEnd: NAME_WIDTH,
    enabled: columns.length > COLUMN_LIMIT,
  });
  const window = useColumnWindow(columns, horizontal);
  useFocusInPlace(scroller, cell, active.row);

  const setActive = ({ row, column }: Position) => {
    const product = rows[row]?.id;
    if (product) setCell({ product, environment: columns[column - 1]?.id ?? null });
  };
  const move = (to: Position) => {
    const row = Math.max(0, Math.min(rows.length - 1, to.row));
    const column = Math.max(0, Math.min(columns.length, to.column));
    isFocusWanted.current = true;
    vertical.scrollToIndex(row);
    if (columns.length > COLUMN_LIMIT && column > 0) horizontal.scrollToIndex(column - 1);
    setActive({ row, column });
  };
  const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT) - 1);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" || event.key === " ") open(active);
    else {
      const to = target(event, active, { row: rows.length - 1, column: columns.length }, page);
      if (!to) return;
      move(to);
    }
    event.preventDefault();
  };
  const open = ({ row, column }: Position) => {
    const opened = rows[row];
    const at = columns[column - 1];
    if (opened && column === 0) onOpenProduct(opened);
    if (opened && at && cellsOf(opened, at).length > 0) onOpen(opened, at);
  };
  const onFocus = (event: FocusEvent) => {
    const position = positionOf(event.target);
    if (position) setActive(position);
  };
  const onClick = (event: MouseEvent) => {
    const position = positionOf(event.target);
    if (!position) return;
    move(position);
    open(position);
  };

  useEffect(() => {
    if (!isFocusWanted.current) return;
    const cell = scroller.current?.querySelector<HTMLElement>(
      `[data-row="${active.row}"] [data-column="${active.column}"]`,
    );
    if (!cell) return;
    isFocusWanted.current = false;
    cell.focus({ preventScroll: columns.length > COLUMN_LIMIT });
  });

  const width = `calc(var(--name-width) + ${columns.length * COLUMN_WIDTH}px)`;
  return (
    <div
      ref={scroller}
      role="grid"
      aria-label="Versions by product and environment"
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length + 1}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onFocus={onFocus}
      className="relative [--name-width:9rem] sm:[--name-width:12rem] max-h-[max(24rem,calc(100dvh-18rem))] overflow-auto rounded-lg border border-line bg-surface lg:max-h-[max(24rem,calc(100dvh-15rem))]"
    >
      <div role="presentation" style={columns.length > COLUMN_LIMIT ? { width } : { minWidth: width }}>
        <HeaderRow window={window} />
        <div role="rowgroup" className="relative" style={{ height: vertical.getTotalSize() }}>
          {vertical.getVirtualItems().map(({ index }) => {
            const row = rows[index];
            return row ? (
              <MatrixRow
                key={row.id}
                row={row}
                index={index}
                window={window}
                activeColumn={active.row === index ? active.column : null}
              />
            ) : null;
          })}
        </div>
      </div>
    </div>
  );
}

/** The position of a cell; if its product or environment is gone, that of the cell which has taken its place. */
function usePosition(cell: FocusedCell | null, rows: readonly Row[], columns: readonly Column[]): Position {
  const last = useRef<Position>({ row: 0, column: 0 });
  const found = useMemo(() => {
    const row = cell ? rows.findIndex(({ id }) => id === cell.product) : 0;
    const column = cell?.environment ? columns.findIndex(({ id }) => id === cell.environment) + 1 : 0;
    return { row, column, isGone: cell?.environment != null && column === 0 };
  }, [cell, rows, columns]);
  const row = found.row >= 0 ? found.row : Math.min(last.current.row, rows.length - 1);
  const column = found.isGone ? Math.min(last.current.column, columns.length) : found.column;
  last.current = { row, column };
  return last.current;
}

/** Renders an item in addition to those in view, so that it keeps the focus. */
const withIndex = (index: number) => (range: Range) => {
  const inView = defaultRangeExtractor(range);
  if (inView.includes(index) || index >= range.count) return inView;
  return [...inView, index].sort((a, b) => a - b);
};

/** Scrolls with the row of the focused cell when rows before it come or go, so that the user keeps seeing it. */
function useFocusInPlace(scroller: RefObject<HTMLElement | null>, cell: FocusedCell | null, row: number) {
  const before = useRef({ cell, row });
  useLayoutEffect(() => {
    const { current: grid } = scroller;
    const isMoved = cell === before.current.cell && row !== before.current.row; // by other data, not by the user
    if (isMoved && grid?.contains(document.activeElement)) grid.scrollTop += (row - before.current.row) * ROW_HEIGHT;
    before.current = { cell, row };
  }, [scroller, cell, row]);
}

/** Where a key moves the focus to; null for other keys. */
function target(event: KeyboardEvent, { row, column }: Position, last: Position, page: number): Position | null {
  switch (event.key) {
    case "ArrowDown":
      return { row: row + 1, column };
    case "ArrowUp":
      return { row: row - 1, column };
    case "ArrowRight":
      return { row, column: column + 1 };
    case "ArrowLeft":
      return { row, column: column - 1 };
    case "PageDown":
      return { row: row + page, column };
    case "PageUp":
      return { row: row - page, column };
    case "Home":
      return event.ctrlKey ? { row: 0, column: 0 } : { row, column: 0 };
    case "End":
      return event.ctrlKey ? last : { row, column: last.column };
    default:
      return null;
  }
}

function positionOf(element: EventTarget): Position | null {
  if (!(element instanceof Element)) return null;
  const cell = element.closest<HTMLElement>("[data-column]");
  const row = element.closest<HTMLElement>("[data-row]");
  return cell && row ? { row: Number(row.dataset["row"]), column: Number(cell.dataset["column"]) } : null;
}

/** The columns to render. It changes only if others come into view, so that scrolling down renders no row again. */
function useColumnWindow(columns: readonly Column[], horizontal: Virtualizer<HTMLDivElement, Element>): ColumnWindow {
  const items = horizontal.getVirtualItems();
  const isVirtual = columns.length > COLUMN_LIMIT;
  const first = isVirtual ? (items[0]?.index ?? 0) : 0;
  const end = isVirtual ? (items.at(-1)?.index ?? -1) + 1 : columns.length;
  return useMemo(
    () => ({
      columns: columns.slice(first, end),
      first,
      before: first * COLUMN_WIDTH,
      after: (columns.length - end) * COLUMN_WIDTH,
    }),
    [columns, first, end],
  );
}

function HeaderRow({ window }: { window: ColumnWindow }) {
  return (
    <div role="rowgroup" className="sticky top-0 z-20">
      <div role="row" aria-rowindex={1} className="flex h-9 border-b border-line-strong bg-raised text-sm font-medium">
        <div
          role="columnheader"
          aria-colindex={1}
          className="sticky left-0 z-10 flex w-(--name-width) shrink-0 items-center border-r border-line bg-raised px-3"
        >
          Product
        </div>
        <div className="shrink-0" style={{ width: window.before }} role="presentation" />
        {window.columns.map((column, offset) => (
          <div
            key={column.id}
            role="columnheader"
            aria-colindex={window.first + offset + 2}
            className="flex min-w-0 shrink-0 grow basis-[162px] items-center px-2"
          >
            <Name cut className="min-w-0">
              {column.name}
            </Name>
          </div>
        ))}
        <div className="shrink-0" style={{ width: window.after }} role="presentation" />
      </div>
    </div>
  );
}
