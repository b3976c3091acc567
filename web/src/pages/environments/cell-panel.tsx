import { useQuery } from "@tanstack/react-query";
import type { Deployment } from "@versioner/client";
import { lazy, Suspense, useState } from "react";

import { serverURL } from "../../api/client";
import { historyQuery } from "../../api/environment-state";
import { AppLink } from "../../components/app-link";
import { Badge, StatusBadge } from "../../components/badge";
import { CodeBlock, shellQuote } from "../../components/code-block";
import { CopyButton } from "../../components/copy-button";
import { Dialog } from "../../components/dialog";
import { Failure } from "../../components/failure";
import { ExternalLink } from "../../components/external-link";
import { Name, VersionName } from "../../components/name";
import { SkeletonRows, WhenLoaded } from "../../components/states";
import { Time } from "../../components/time";
import { cx } from "../../lib/cx";
import { safeURL } from "../../lib/links";
import type { Row } from "./matrix-data";
import { versionToPromote } from "./promotion";
import {
  type Attempt,
  attemptOf,
  type Cell,
  type CellState,
  cellState,
  STATE_LABELS,
  stateMeaning,
  stateText,
} from "./cell-state";

/** The panel of a cell: what runs there, how it got there, and the way to its pipeline. */
export default function CellPanel({ cell, row, onClose }: { cell: Cell; row: Row; onClose: () => void }) {
  const query = useQuery(historyQuery(cell.product_id, cell.environment_id));
  return (
    <Dialog title={`${cell.product_name} in ${cell.environment_name}`} shape="side" onClose={onClose}>
      <Current cell={cell} history={query.data?.items ?? []} />
      <Suspense>
        <Deploy product={cell.product_id} environment={cell.environment_id} />
      </Suspense>
      <MayDeploy cell={cell} row={row} />
      <section className="border-b border-line">
        <div className="flex items-center justify-between px-4 pt-3 pb-1">
          <h3 className="font-semibold">History</h3>
          <AppLink
            to="/deployments"
            search={{ product: cell.product_name, environment: cell.environment_name }}
            className="inline-flex min-h-6 items-center text-sm text-accent hover:underline"
          >
            All deployments
          </AppLink>
        </div>
        <WhenLoaded query={query} skeletons={5}>
          {({ items }) => <History deployments={items} current={cell.deployment_id} />}
        </WhenLoaded>
      </section>
      <section className="flex flex-col gap-2 p-4">
        <h3 className="font-semibold">In a script</h3>
        <CodeBlock label="curl" text={curlOf(cell)} />
      </section>
    </Dialog>
  );
}

const Deploy = lazy(() => import("../templates/deploy-link"));

/** Comes when it is opened: the first page does without. */
const Preflight = lazy(() => import("../preflight/preflight-box"));

/** Asks about the version that would be promoted next, until the user names another one. */
function MayDeploy({ cell, row }: { cell: Cell; row: Row }) {
  const [isOpen, setOpen] = useState(false);
  const [version, setVersion] = useState(() => versionToPromote(row, cell));
  const named = version?.trim();
  return (
    <section className="border-b border-line">
      <h3>
        <button
          type="button"
          aria-expanded={isOpen}
          className="flex min-h-11 w-full items-center gap-2 px-4 py-2 text-left font-semibold hover:bg-raised"
          onClick={() => setOpen(!isOpen)}
        >
          <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span>
          <span className="min-w-0 break-words">
            {"May I deploy "}
            {named ? (
              <>
                <VersionName>{named}</VersionName>{" "}
              </>
            ) : null}
            {"to "}
            <Name>{cell.environment_name}</Name>?
          </span>
        </button>
      </h3>
      {isOpen ? (
        <Suspense fallback={<SkeletonRows rows={1} />}>
          <Preflight
            product={cell.product_id}
            environment={cell.environment_id}
            environmentName={cell.environment_name}
            version={version}
            onChange={setVersion}
          />
        </Suspense>
      ) : null}
    </section>
  );
}

function Current({ cell, history }: { cell: Cell; history: readonly Deployment[] }) {
  const state = cellState(cell);
  const attempt = attemptOf(cell, state);
  const { tone, glyph } = STATE_LABELS[state];
  const who = cell.deployed_by_name || cell.deployed_by;
  return (
    <section className="flex flex-col gap-2 border-b border-line px-4 py-4">
      <div className="flex flex-wrap items-center gap-2">
        {cell.version && cell.version_id ? (
          <>
            <AppLink to={`/versions/${cell.version_id}`} className="min-w-0 rounded text-xl hover:underline">
              <VersionName className="text-xl font-semibold">{cell.version}</VersionName>
            </AppLink>
            <CopyButton text={cell.version} label="Copy the version" iconOnly />
          </>
        ) : null}
        {attempt ? null : (
          <Badge tone={tone} glyph={glyph}>
            {stateText(cell, state)}
          </Badge>
        )}
      </div>
      {cell.since ? (
        <p className="text-muted">
          Deployed <Time at={cell.since} className="text-text" />
          {who ? (
            <>
              {" by "}
              <Name className="text-text">{who}</Name>
            </>
          ) : (
            "; its pipeline did not report by whom"
          )}
        </p>
      ) : null}
      <p className="text-sm text-muted">{stateMeaning(cell, state)}</p>
      <Pipeline deployment={history.find(({ id }) => id === cell.deployment_id)} />
      {attempt ? <AttemptBox state={state} attempt={attempt} history={history} /> : null}
    </section>
  );
}

function Pipeline({ deployment }: { deployment: Deployment | undefined }) {
  const url = deployment?.deploy_url;
  return url ? <ExternalLink href={url}>{safeURL(url) ? "Open the pipeline" : undefined}</ExternalLink> : null;
}

const ATTEMPTS: Partial<Record<CellState, { className: string; verb: string }>> = {
  in_progress: { className: "bg-busy-soft text-busy", verb: "is being deployed; started" },
  failed: { className: "bg-bad-soft text-bad", verb: "failed" },
  stale: { className: "bg-warn-soft text-warn", verb: "has no end; started" },
};

/** What became of the newest deployment, and who started it. */
function AttemptBox({
  state,
  attempt: { id, version, at, who },
  history,
}: {
  state: CellState;
  attempt: Attempt;
  history: readonly Deployment[];
}) {
  const { className, verb } = ATTEMPTS[state] ?? {};
  const deployment = history.find((one) => one.id === id);
  return (
    <div className={cx("flex flex-col items-start gap-1 rounded-md px-3 py-2 text-sm", className)}>
      <p>
        <AppLink to={`/deployments/${id}`} className="underline">
          <VersionName>{version ?? ""}</VersionName>
        </AppLink>{" "}
        {verb} <Time at={at} />
        {who ? (
          <>
            , by <Name>{who}</Name>
          </>
        ) : null}
        .
      </p>
      {deployment ? <Failure deployment={deployment} className="w-full px-0! pb-0!" /> : null}
      <Pipeline deployment={deployment} />
    </div>
  );
}

function History({ deployments, current }: { deployments: readonly Deployment[]; current: string | null }) {
  return (
    <ol className="divide-y divide-line">
      {deployments.map((deployment) => {
        const who = deployment.deployed_by_name || deployment.deployed_by;
        return (
          <li key={deployment.id} className="flex items-start justify-between gap-3 px-4 py-2">
            <div className="min-w-0">
              <div className="flex items-center gap-2">
                <AppLink
                  to={`/deployments/${deployment.id}`}
                  className="min-w-0 rounded leading-6 font-medium hover:underline"
                >
                  <VersionName cut>{deployment.version}</VersionName>
                </AppLink>
                <StatusBadge status={deployment.status} isStale={deployment.is_stale} />
                {deployment.id === current ? (
                  <span className="text-xs whitespace-nowrap text-muted">runs now</span>
                ) : null}
              </div>
              <div className="flex gap-1 text-sm text-muted">
                <Time at={deployment.deployed_at} className="shrink-0" />
                {who ? (
                  <>
                    <span aria-hidden="true">·</span>
                    <Name cut>{who}</Name>
                  </>
                ) : null}
              </div>
            </div>
            {safeURL(deployment.deploy_url) ? <ExternalLink href={deployment.deploy_url}>CI</ExternalLink> : null}
          </li>
        );
      })}
    </ol>
  );
}

function curlOf({ product_name, environment_name }: Cell): string {
  const query = new URLSearchParams({ product: product_name, environment: environment_name });
  return `curl -H "Authorization: Bearer $VERSIONER_TOKEN" \\\n  ${shellQuote(`${serverURL}/environment-state/?${query}`)}`;
}
