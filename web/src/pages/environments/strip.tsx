import { cx } from "../../lib/cx";
import { type CellState, STATE_LABELS } from "./cell-state";
import { type Filters, type Summary, TYPE_NAMES } from "./matrix-data";

const SHOWN: readonly CellState[] = ["failed", "in_progress", "stale"];

const TEXT: Partial<Record<CellState, string>> = { failed: "text-bad", in_progress: "text-busy", stale: "text-warn" };

export interface StripProps {
  summaries: Summary[];
  filters: Filters;
  onFilter: (filters: Filters) => void;
}

/** How each type of environment is, in a line; a number filters the matrix. */
export function Strip({ summaries, filters, onFilter }: StripProps) {
  return (
    <ul
      aria-label="Summary"
      className="grid grid-cols-[repeat(auto-fit,minmax(6.75rem,1fr))] gap-2 sm:grid-cols-[repeat(auto-fit,minmax(11rem,1fr))] sm:gap-3"
    >
      {summaries.map((summary) => (
        <TypeSummary key={summary.type} summary={summary} filters={filters} onFilter={onFilter} />
      ))}
    </ul>
  );
}

function TypeSummary({
  summary,
  filters,
  onFilter,
}: {
  summary: Summary;
  filters: Filters;
  onFilter: (filters: Filters) => void;
}) {
  const { type, fine, counts } = summary;
  const failed = counts.failed ?? 0;
  const toggle = (state: CellState | undefined) => {
    const isOn = filters.type === type && filters.state === state;
    onFilter({ type: isOn ? undefined : type, state: isOn ? undefined : state });
  };
  const isProduction = type === "production";
  return (
    <li
      className={cx(
        "flex flex-col gap-1 rounded-lg border bg-surface px-2 py-2 sm:px-3",
        isProduction && "max-sm:col-span-full",
        failed > 0 && isProduction ? "border-bad/50" : "border-line",
      )}
    >
      <button
        type="button"
        aria-pressed={filters.type === type && !filters.state}
        onClick={() => toggle(undefined)}
        className="min-h-6 self-start rounded text-sm font-medium text-muted hover:text-text aria-pressed:text-accent"
      >
        {TYPE_NAMES[type]}
      </button>
      <div className="flex flex-wrap items-baseline gap-x-3">
        <span
          className={cx(
            "flex items-baseline gap-1.5 whitespace-nowrap",
            failed > 0 || fine === 0 ? "text-muted" : "text-good",
          )}
        >
          <span aria-hidden="true" className="text-sm">
            ✓
          </span>
          <strong className="text-xl leading-7 font-semibold tabular-nums">{fine}</strong>
          <span className="text-sm">fine</span>
        </span>
        {SHOWN.filter((state) => counts[state]).map((state) => (
          <button
            key={state}
            type="button"
            aria-pressed={filters.type === type && filters.state === state}
            title={STATE_LABELS[state].meaning}
            onClick={() => toggle(state)}
            className={cx(
              "flex min-h-6 items-baseline gap-1 rounded text-xs whitespace-nowrap sm:text-sm hover:underline aria-pressed:underline",
              TEXT[state],
            )}
          >
            <span aria-hidden="true">{STATE_LABELS[state].glyph}</span>
            <strong className={cx("font-semibold tabular-nums", state === "failed" && "text-xl leading-7")}>
              {counts[state]}
            </strong>
            {STATE_LABELS[state].word}
          </button>
        ))}
      </div>
    </li>
  );
}
