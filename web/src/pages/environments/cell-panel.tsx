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
import { ExternalLink } from "../../components/external-link";
import { Name, VersionName } from "../../components/name";
import { ErrorState, SkeletonRows } from "../../components/states";
import { Time } from "../../components/time";
import { safeURL } from "../../lib/links";
import { type Cell, cellState, STATE_LABELS, stateText } from "./cell-state";

/** The panel of a cell: what runs there, how it got there, and the way to its pipeline. */
export function CellPanel({ cell, onClose }: { cell: Cell; onClose: () => void }) {
  const { data, error, refetch } = useQuery(historyQuery(cell.product_id, cell.environment_id));
  return (
    <Dialog title={`${cell.product_name} in ${cell.environment_name}`} shape="side" onClose={onClose}>
      <Current cell={cell} deployment={data?.items.find(({ id }) => id === cell.deployment_id)} />
      <MayDeploy cell={cell} />
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
        {data ? <History deployments={data.items} current={cell.deployment_id} /> : null}
        {!data && error ? <ErrorState error={error} onRetry={() => void refetch()} /> : null}
        {!data && !error ? <SkeletonRows rows={5} /> : null}
      </section>
      <section className="flex flex-col gap-2 p-4">
        <h3 className="font-semibold">In a script</h3>
        <CodeBlock label="curl" text={curlOf(cell)} />
      </section>
    </Dialog>
  );
}

/** Comes when it is opened: the first page does without. */
const Preflight = lazy(() => import("../preflight/preflight-box"));

function MayDeploy({ cell }: { cell: Cell }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <section className="border-b border-line">
      <h3>
        <button
          type="button"
          aria-expanded={isOpen}
          className="flex min-h-11 w-full items-center gap-2 px-4 text-left font-semibold hover:bg-raised"
          onClick={() => setOpen(!isOpen)}
        >
          <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span>
          May I deploy?
        </button>
      </h3>
      {isOpen ? (
        <Suspense fallback={<SkeletonRows rows={1} />}>
          <Preflight product={cell.product_id} environment={cell.environment_id} />
        </Suspense>
      ) : null}
    </section>
  );
}

function Current({ cell, deployment }: { cell: Cell; deployment: Deployment | undefined }) {
  const state = cellState(cell);
  const { tone, glyph, meaning } = STATE_LABELS[state];
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
        <Badge tone={tone} glyph={glyph}>
          {stateText(cell, state)}
        </Badge>
      </div>
      {cell.since ? (
        <p className="text-muted">
          Deployed <Time at={cell.since} className="text-text" />
          {who ? (
            <>
              {" by "}
              <Name className="text-text">{who}</Name>
            </>
          ) : null}
        </p>
      ) : null}
      <p className="text-sm text-muted">{meaning}</p>
      {state === "in_progress" && cell.in_progress_version ? (
        <p className="rounded-md bg-busy-soft px-3 py-2 text-sm text-busy">
          <VersionName>{cell.in_progress_version}</VersionName> is being deployed; started{" "}
          <Time at={cell.in_progress_since} />.
        </p>
      ) : null}
      {state === "failed" && cell.latest_version ? (
        <p className="rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
          <VersionName>{cell.latest_version}</VersionName> failed <Time at={cell.latest_at} />.
        </p>
      ) : null}
      {deployment?.deploy_url ? (
        <ExternalLink href={deployment.deploy_url}>{linkText(deployment.deploy_url)}</ExternalLink>
      ) : null}
    </section>
  );
}

const linkText = (url: string) => (safeURL(url) ? "Open the pipeline" : undefined);

function History({ deployments, current }: { deployments: readonly Deployment[]; current: string | null }) {
  return (
    <ol className="divide-y divide-line">
      {deployments.map((deployment) => {
        const who = deployment.deployed_by_name || deployment.deployed_by;
        return (
          <li key={deployment.id} className="flex items-start justify-between gap-3 px-4 py-2">
            <div className="min-w-0">
              <div className="flex items-center gap-2">
                <AppLink to={`/deployments/${deployment.id}`} className="min-w-0 rounded font-medium hover:underline">
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
