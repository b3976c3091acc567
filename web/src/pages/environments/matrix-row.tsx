import { memo } from "react";

import { Badge } from "../../components/badge";
import { Name, VersionName } from "../../components/name";
import { Time } from "../../components/time";
import { cx } from "../../lib/cx";
import { type Attempt, attemptOf, type Cell, cellState, STATE_LABELS, stateMeaning, stateText } from "./cell-state";
import { cellsOf, type Column, type Row } from "./matrix-data";

export const ROW_HEIGHT = 58;

/** Which columns are rendered, and the space of those before and after. */
export interface ColumnWindow {
  columns: readonly Column[];
  /** The index of the first of them. */
  first: number;
  before: number;
  after: number;
}

interface MatrixRowProps {
  row: Row;
  index: number;
  window: ColumnWindow;
  /** The column of this row that takes the focus; 0 is the name. */
  activeColumn: number | null;
}

/** A row of the grid. It renders again only if one of its cells has changed, it is scrolled sideways, or the focus enters or leaves it. */
export const MatrixRow = memo(function MatrixRow({ row, index, window, activeColumn }: MatrixRowProps) {
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-row={index}
      className="group absolute left-0 flex w-full border-b border-line bg-surface"
      style={{ height: ROW_HEIGHT, transform: `translateY(${index * ROW_HEIGHT}px)` }}
    >
      <div
        role="rowheader"
        aria-colindex={1}
        data-column={0}
        tabIndex={activeColumn === 0 ? 0 : -1}
        className="sticky left-0 z-10 flex w-(--name-width) shrink-0 items-center border-r border-line bg-surface px-3 font-medium -outline-offset-2 cursor-pointer group-hover:bg-raised hover:underline"
      >
        <Name cut className="min-w-0">
          {row.name}
        </Name>
      </div>
      <div className="shrink-0" style={{ width: window.before }} role="presentation" />
      {window.columns.map((column, offset) => (
        <GridCell
          key={column.id}
          column={column}
          cells={cellsOf(row, column)}
          index={window.first + offset}
          isActive={activeColumn === window.first + offset + 1}
        />
      ))}
      <div className="shrink-0" style={{ width: window.after }} role="presentation" />
    </div>
  );
});

function GridCell({
  column,
  cells,
  index,
  isActive,
}: {
  column: Column;
  cells: Cell[];
  index: number;
  isActive: boolean;
}) {
  const cell = cells[0];
  return (
    <div
      role="gridcell"
      aria-colindex={index + 2}
      data-column={index + 1}
      tabIndex={isActive ? 0 : -1}
      className={cx(
        "flex min-w-0 shrink-0 grow basis-[162px] flex-col justify-center px-2 -outline-offset-2 group-hover:bg-raised",
        cell && "cursor-pointer hover:bg-accent-soft",
      )}
    >
      {!cell ? <Never /> : null}
      {cell && column.isFolded ? <ReviewCell cells={cells} /> : null}
      {cell && !column.isFolded ? <StateCell cell={cell} /> : null}
    </div>
  );
}

function Never() {
  return <span className="text-sm text-muted">– never</span>;
}

function StateCell({ cell }: { cell: Cell }) {
  const state = cellState(cell);
  if (state === "empty") return <Never />;
  const { tone, glyph } = STATE_LABELS[state];
  const meaning = stateMeaning(cell, state);
  const text = stateText(cell, state);
  const attempt = attemptOf(cell, state);
  const version = cell.version ? (
    <VersionName cut className="max-w-3/5 shrink-0 font-medium">
      {cell.version}
    </VersionName>
  ) : null;
  const running = <WhenAndWho at={cell.since} who={cell.deployed_by_name || cell.deployed_by} />;
  if (attempt)
    return (
      <>
        <div className="flex items-baseline gap-1.5 leading-4.5">
          {version ? (
            <>
              {version}
              {running}
            </>
          ) : (
            <Never />
          )}
        </div>
        <div className="flex items-baseline gap-1.5 leading-4.5">
          <Badge tone={tone} glyph={glyph} title={meaning}>
            {text}
          </Badge>
          <Name cut className="font-mono text-xs">
            {attempt.version ?? ""}
          </Name>
        </div>
        <WhenAndWho {...attempt} />
      </>
    );
  return (
    <>
      <div className="flex items-baseline gap-1.5 leading-5">
        {version}
        <span
          title={meaning}
          className={cx("text-xs whitespace-nowrap", state === "current" ? "text-good" : "text-muted")}
        >
          <span aria-hidden="true">{glyph} </span>
          {text}
        </span>
      </div>
      {running}
    </>
  );
}

function WhenAndWho({ at, who }: Pick<Attempt, "at" | "who">) {
  return (
    <div className="flex min-w-0 gap-1 text-xs leading-4 text-muted">
      <Time at={at} className="shrink-0" />
      {who ? <span aria-hidden="true">·</span> : null}
      {who ? <Name cut>{who}</Name> : null}
    </div>
  );
}

function ReviewCell({ cells }: { cells: Cell[] }) {
  const failed = cells.filter((cell) => cellState(cell) === "failed").length;
  return (
    <div className="flex items-center gap-2">
      <span>
        {cells.length} <span className="text-muted">{cells.length === 1 ? "environment" : "environments"}</span>
      </span>
      {failed > 0 ? (
        <Badge tone="bad" glyph="✕">
          {failed} failed
        </Badge>
      ) : null}
    </div>
  );
}
