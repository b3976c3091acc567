import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useDeferredValue, useMemo, useRef } from "react";

import { environmentStateQuery } from "../../api/environment-state";
import { OldData } from "../../components/old-data";
import { Page, Panel } from "../../components/page";
import { EmptyState, ErrorState, Skeleton, SkeletonRows } from "../../components/states";
import { useFilters } from "../../lib/search";
import type { Cell } from "./cell-state";
import { FailureAnnouncer } from "./failure-announcer";
import { FilterBar } from "./filter-bar";
import { Matrix } from "./matrix";
import {
  cellsOf,
  columnsOf,
  filterColumns,
  filterRows,
  reviewColumn,
  type Row,
  rowsOf,
  summaries,
  TYPES,
} from "./matrix-data";
import { Strip, type StripProps } from "./strip";

/** What opens over the page comes when it is opened. */
const CellPanel = lazy(() => import("./cell-panel"));
const ReviewPanel = lazy(() => import("./review-panel"));

/** Only new accounts need it. */
const GetStarted = lazy(() => import("../start/start-page"));

/** Which version of each product runs in each environment. */
export default function EnvironmentsPage() {
  const query = useQuery(environmentStateQuery);
  const { data, error, refetch } = query;
  if (data?.isComplete && data.rows.length === 0) {
    return (
      <Suspense>
        <GetStarted />
      </Suspense>
    );
  }
  return (
    <Page title="Overview" lead="Which version runs where, since when, and who deployed it">
      <OldData query={query} className="rounded-md border border-line" />
      {data ? <Content cells={data.rows} isComplete={data.isComplete} /> : null}
      {!data && error ? (
        <Panel>
          <ErrorState error={error} onRetry={() => void refetch()} />
        </Panel>
      ) : null}
      {!data && !error ? <Loading /> : null}
    </Page>
  );
}

/** The matrix; until all of its cells are loaded, without what would be wrong for a part of them. */
function Content({ cells, isComplete }: { cells: readonly Cell[]; isComplete: boolean }) {
  const navigate = useNavigate();
  const [search, change] = useFilters();
  const isUnfolded = search["review"] === "1";
  const rows = useRows(cells);
  const columns = useStableColumns(cells, isUnfolded);
  const shownColumns = useMemo(
    () => filterColumns(columns, { type: search["type"], environment: search["environment"] }),
    [columns, search["type"], search["environment"]],
  );
  const q = useDeferredValue(search["q"]); // so that typing stays fluent however many products there are
  const shownRows = useMemo(
    () => filterRows(rows, shownColumns, { q, state: search["state"] }),
    [rows, shownColumns, q, search["state"]],
  );
  const hasReview = isUnfolded || columns.some(({ isFolded }) => isFolded);
  return (
    <>
      {isComplete ? <CompleteStrip cells={cells} filters={search} onFilter={change} /> : <StripSkeleton />}
      <div className="flex flex-wrap items-center justify-between gap-2">
        <FilterBar filters={search} onFilter={change} />
        <div className="flex flex-wrap items-center gap-x-4 text-sm text-muted">
          {hasReview ? (
            <label className="flex min-h-8 items-center gap-2 whitespace-nowrap">
              <input
                type="checkbox"
                className="size-4 accent-accent"
                checked={isUnfolded}
                onChange={(event) => change({ review: event.target.checked ? "1" : "" })}
              />
              Show each review environment
            </label>
          ) : null}
          <span role="status" className="whitespace-nowrap tabular-nums">
            {isComplete
              ? `${shownRows.length} of ${rows.length} products`
              : `${shownRows.length} products, loading the others …`}
          </span>
        </div>
      </div>
      {shownRows.length > 0 ? (
        <Matrix
          rows={shownRows}
          columns={shownColumns}
          onOpen={(row, column) => change({ open: `${row.id}.${column.id}` }, true)}
          onOpenProduct={({ id }) => void navigate({ to: `/products/${id}` })}
        />
      ) : (
        <Panel>{isComplete ? <EmptyState title="No product matches the filters" /> : <SkeletonRows rows={10} />}</Panel>
      )}
      <Suspense>
        <OpenPanel rows={rows} open={search["open"]} onChange={(open) => change({ open })} />
      </Suspense>
      {isComplete ? <FailureAnnouncer cells={cells} /> : null}
    </>
  );
}

function CompleteStrip({ cells, ...filter }: { cells: readonly Cell[] } & Omit<StripProps, "summaries">) {
  return <Strip summaries={useMemo(() => summaries(cells), [cells])} {...filter} />;
}

function OpenPanel({
  rows,
  open,
  onChange,
}: {
  rows: readonly Row[];
  open: string | undefined;
  onChange: (open: string | undefined) => void;
}) {
  const [product, environment] = open?.split(".") ?? [];
  const row = rows.find(({ id }) => id === product);
  if (!row || !environment) return null;
  const close = () => onChange(undefined);
  const review = TYPES.map(reviewColumn).find(({ id }) => id === environment);
  if (review) {
    return (
      <ReviewPanel
        product={row.name}
        cells={cellsOf(row, review)}
        onOpen={(cell) => onChange(`${row.id}.${cell.environment_id}`)}
        onClose={close}
      />
    );
  }
  const cell = row.cells.get(environment);
  return cell ? <CellPanel key={open} cell={cell} row={row} onClose={close} /> : null;
}

/** The rows, of which those without a change are the same objects as before. */
function useRows(cells: readonly Cell[]): Row[] {
  const before = useRef<Row[]>([]);
  return useMemo(() => {
    before.current = rowsOf(cells, before.current);
    return before.current;
  }, [cells]);
}

/** The columns, which are the same objects as before while no environment comes, goes or is renamed. */
function useStableColumns(cells: readonly Cell[], unfold: boolean) {
  const columns = columnsOf(cells, unfold);
  const key = JSON.stringify(columns);
  return useMemo(() => columns, [key]);
}

/** Boxes of the sizes of the strip and of the matrix. */
function Loading() {
  return (
    <div role="status" aria-label="Loading" className="flex flex-col gap-4">
      <StripSkeleton />
      <Skeleton className="h-8 w-80 max-w-full" />
      <Skeleton className="h-[max(24rem,calc(100dvh-18rem))] border border-line lg:h-[max(24rem,calc(100dvh-15rem))]" />
    </div>
  );
}

function StripSkeleton() {
  return (
    <div className="grid grid-cols-[repeat(auto-fit,minmax(6.75rem,1fr))] gap-2 sm:grid-cols-[repeat(auto-fit,minmax(11rem,1fr))] sm:gap-3">
      {Array.from({ length: 4 }, (_, index) => (
        <Skeleton key={index} className="h-[4.625rem] border border-line max-sm:first:col-span-full" />
      ))}
    </div>
  );
}
