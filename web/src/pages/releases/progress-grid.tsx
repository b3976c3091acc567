import { useQuery } from "@tanstack/react-query";
import type { ReleaseEnvironmentStatus, RolloutStatus } from "@versioner/client";
import { useMemo } from "react";

import { environmentStateQuery } from "../../api/environment-state";
import { progressQuery } from "../../api/releases";
import { AppLink } from "../../components/app-link";
import { Badge, type Tone } from "../../components/badge";
import { Name, VersionName } from "../../components/name";
import { Panel } from "../../components/page";
import { EmptyState, WhenLoaded } from "../../components/states";
import { Time } from "../../components/time";
import { isReview, TYPES } from "../environments/matrix-data";

const LABELS: Record<RolloutStatus, { tone: Tone; glyph: string; word: string }> = {
  success: { tone: "good", glyph: "✓", word: "deployed" },
  failed: { tone: "bad", glyph: "✕", word: "failed" },
  in_progress: { tone: "busy", glyph: "◐", word: "in progress" },
  not_deployed: { tone: "neutral", glyph: "–", word: "not yet" },
};

/** The versions that run: their identifiers and names, by product and environment. */
type Running = ReadonlyMap<string, { id: string | null; name: string }>;

const keyOf = ({ product_id, environment_id }: { product_id: string; environment_id: string }) =>
  `${product_id} ${environment_id}`;

function useRunning(): Running {
  const { data } = useQuery(environmentStateQuery);
  return useMemo(() => {
    const running = new Map<string, { id: string | null; name: string }>();
    for (const row of data?.rows ?? []) {
      if (row.version) running.set(keyOf(row), { id: row.version_id, name: row.version });
    }
    return running;
  }, [data]);
}

/** The versions of the release by environment: where each has been deployed, and what runs where it does not. */
export function ProgressPanel({ id }: { id: string }) {
  const query = useQuery(progressQuery(id));
  const running = useRunning();
  return (
    <Panel title="Progress">
      <WhenLoaded query={query} skeletons={4}>
        {({ cells, isCut }) =>
          cells.length === 0 ? (
            <EmptyState title="Nothing to deploy yet">
              Add versions to the release: their progress appears here.
            </EmptyState>
          ) : (
            <>
              <Grid cells={cells} running={running} />
              {isCut ? (
                <p className="border-t border-line px-4 py-2 text-sm text-muted">
                  The grid is cut: it has too many cells.
                </p>
              ) : null}
            </>
          )
        }
      </WhenLoaded>
    </Panel>
  );
}

type Cell = ReleaseEnvironmentStatus;

/** The environments, by type and name. Review environments without a version of the release would only widen the grid. */
function columnsOf(cells: readonly Cell[]): Cell[] {
  const columns = new Map<string, Cell>();
  const used = new Set(cells.filter(({ status }) => status !== "not_deployed").map((cell) => cell.environment_id));
  for (const cell of cells) {
    const isUnused = !used.has(cell.environment_id);
    const isTemporary = isReview({ name: cell.environment_name, type: cell.environment_type });
    if (!(isUnused && isTemporary)) columns.set(cell.environment_id, cell);
  }
  return [...columns.values()].sort(
    (a, b) =>
      TYPES.indexOf(a.environment_type) - TYPES.indexOf(b.environment_type) ||
      a.environment_name.localeCompare(b.environment_name, undefined, { numeric: true }),
  );
}

function rowsOf(cells: readonly Cell[]): Cell[][] {
  const rows = new Map<string, Cell[]>();
  for (const cell of cells) rows.set(cell.product_id, [...(rows.get(cell.product_id) ?? []), cell]);
  return [...rows.values()].sort((a, b) => a[0]!.product_name.localeCompare(b[0]!.product_name));
}

function Grid({ cells, running }: { cells: readonly Cell[]; running: Running }) {
  const columns = columnsOf(cells);
  return (
    <div className="overflow-x-auto" tabIndex={0} role="region" aria-label="Progress by product and environment">
      <table className="w-full border-collapse text-left">
        <thead className="border-b border-line text-xs text-muted">
          <tr>
            <th scope="col" className="sticky left-0 h-8 bg-surface px-4 font-medium">
              Product
            </th>
            {columns.map(({ environment_id, environment_name }) => (
              <th key={environment_id} scope="col" className="h-8 min-w-28 px-3 font-medium">
                <AppLink
                  to={`/environments/${environment_id}`}
                  className="inline-flex min-h-6 min-w-6 items-center rounded hover:underline"
                >
                  <Name>{environment_name}</Name>
                </AppLink>
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {rowsOf(cells).map((row) => (
            <GridRow key={row[0]!.product_id} row={row} columns={columns} running={running} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function GridRow({ row, columns, running }: { row: readonly Cell[]; columns: readonly Cell[]; running: Running }) {
  const { product_id, product_name, version_id, version } = row[0]!;
  return (
    <tr>
      <th scope="row" className="sticky left-0 max-w-40 bg-surface px-4 py-2 text-left font-normal sm:max-w-64">
        <AppLink to={`/products/${product_id}`} className="block leading-6 rounded font-medium hover:underline">
          <Name cut>{product_name}</Name>
        </AppLink>
        <AppLink to={`/versions/${version_id}`} className="block leading-6 rounded text-muted hover:underline">
          <VersionName cut>{version}</VersionName>
        </AppLink>
      </th>
      {columns.map(({ environment_id }) => (
        <td key={environment_id} className="px-3 py-2 align-top">
          <Status
            cell={row.find((cell) => cell.environment_id === environment_id)}
            running={running.get(keyOf({ product_id, environment_id }))}
            version={version_id}
          />
        </td>
      ))}
    </tr>
  );
}

interface StatusProps {
  cell: Cell | undefined;
  /** The version that runs there; undefined if none is known. */
  running: { id: string | null; name: string } | undefined;
  /** The version of the release. */
  version: string;
}

/** The status, and which other version runs there: one that replaced the version, or that runs in place of it. */
function Status({ cell, running, version }: StatusProps) {
  const status = cell?.status ?? "not_deployed";
  const other = running && running.id !== version ? running.name : null;
  const { tone, glyph, word } = LABELS[status];
  const badge = (
    <Badge tone={other && status === "success" ? "neutral" : tone} glyph={glyph}>
      {other && status === "not_deployed" ? "not deployed" : word}
    </Badge>
  );
  return (
    <>
      {cell?.deployment_id ? (
        <>
          <AppLink
            to={`/deployments/${cell.deployment_id}`}
            className="inline-flex min-h-6 items-center rounded hover:underline"
          >
            {badge}
          </AppLink>
          <Time at={cell.deployed_at} className="block text-xs text-muted" />
        </>
      ) : (
        <span className="inline-flex min-h-6 items-center">{badge}</span>
      )}
      {other ? (
        <span className="flex max-w-48 gap-1 text-xs whitespace-nowrap text-muted">
          <VersionName cut>{other}</VersionName>
          runs now
        </span>
      ) : null}
    </>
  );
}
