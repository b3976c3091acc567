import { useQuery } from "@tanstack/react-query";
import type { Deployment } from "@versioner/client";

import { deploymentEventsQuery, deploymentQuery, neighboursQuery } from "../../api/deployments";
import { AppLink } from "../../components/app-link";
import { StatusBadge } from "../../components/badge";
import { Commit } from "../../components/commit";
import { CopyButton } from "../../components/copy-button";
import { EventTimeline } from "../../components/event-timeline";
import { ExternalLink } from "../../components/external-link";
import { Fact, Facts } from "../../components/facts";
import { Failure } from "../../components/failure";
import { MetadataPanel } from "../../components/json";
import { Loaded, Trail } from "../../components/loaded";
import { Name, VersionName } from "../../components/name";
import { Who } from "../../components/who";
import { OldData } from "../../components/old-data";
import { Page, Panel } from "../../components/page";
import { ScriptPanel } from "../../components/script-panel";
import { ErrorState, Skeleton } from "../../components/states";
import { Time } from "../../components/time";
import { safeURL } from "../../lib/links";
import { useRouteId } from "../../lib/route";
import { durationOf, durationText } from "../../lib/time";

/** One deployment: what its events reported, and the deployments before and after it. */
export default function DeploymentPage() {
  const query = useQuery(deploymentQuery(useRouteId()));
  return (
    <Loaded query={query} kind="Deployment" list="/deployments">
      {(deployment) => <Content deployment={deployment} />}
    </Loaded>
  );
}

function Content({ deployment }: { deployment: Deployment }) {
  return (
    <Page
      title={`${deployment.product_name} ${deployment.version} in ${deployment.environment_name}`}
      lead={
        <Trail to="/deployments" label="Deployments">
          <StatusBadge status={deployment.status} isStale={deployment.is_stale} />
          <Time at={deployment.deployed_at} />
        </Trail>
      }
      actions={
        <>
          {safeURL(deployment.deploy_url) ? (
            <ExternalLink href={deployment.deploy_url}>Open the pipeline</ExternalLink>
          ) : null}
          <CopyButton text={deployment.id} label="Copy the identifier" />
        </>
      }
    >
      <Failure deployment={deployment} />
      <Panel>
        <DeploymentFacts deployment={deployment} />
      </Panel>
      <NeighboursPanel deployment={deployment} />
      <EventTimeline options={deploymentEventsQuery(deployment.id)} />
      <MetadataPanel data={deployment.extra_metadata} />
      <ScriptPanel path={`/deployments/${deployment.id}`} />
    </Page>
  );
}

const LINK = "inline-flex min-h-6 min-w-0 items-center rounded text-accent hover:underline";

function DeploymentFacts({ deployment: it }: { deployment: Deployment }) {
  return (
    <Facts>
      <Fact name="Version">
        <AppLink to={`/versions/${it.version_id}`} className={LINK}>
          <VersionName>{it.version}</VersionName>
        </AppLink>
      </Fact>
      <Fact name="Product">
        <AppLink to={`/products/${it.product_id}`} className={LINK}>
          <Name>{it.product_name}</Name>
        </AppLink>
      </Fact>
      <Fact name="Environment">
        <AppLink to={`/environments/${it.environment_id}`} className={LINK}>
          <Name>{it.environment_name}</Name>
        </AppLink>
      </Fact>
      <Fact name="By">
        <Who name={it.deployed_by_name} login={it.deployed_by} email={it.deployed_by_email} />
      </Fact>
      <Fact name="Started">{it.started_at ? <Time at={it.started_at} /> : null}</Fact>
      <Fact name="Ended">{it.completed_at ? <Time at={it.completed_at} /> : null}</Fact>
      <Fact name="Duration">{durationOf(it.started_at, it.completed_at)}</Fact>
      <Fact name="Soak time">{it.soak_time_hours === null ? null : soakText(it.soak_time_hours)}</Fact>
      <Fact name="Build number">{it.build_number ? <Name>{it.build_number}</Name> : null}</Fact>
      <Fact name="Commit">{it.scm_sha ? <Commit sha={it.scm_sha} /> : null}</Fact>
      <Fact name="Branch">{it.scm_branch ? <Name>{it.scm_branch}</Name> : null}</Fact>
      <Fact name="Repository">{it.scm_repository ? <Name>{it.scm_repository}</Name> : null}</Fact>
      <Fact name="Reported by">{it.source_system ? <Name>{it.source_system}</Name> : null}</Fact>
      <Fact name="Run">{it.invoke_id ? <Name>{it.invoke_id}</Name> : null}</Fact>
      <Fact name="Deployment request">
        {it.deployment_request_id ? (
          <AppLink to={`/deployment-requests/${it.deployment_request_id}`} className={LINK}>
            the request that names it
          </AppLink>
        ) : null}
      </Fact>
      <Fact name="Pipeline">{it.deploy_url ? <ExternalLink href={it.deploy_url} /> : null}</Fact>
    </Facts>
  );
}

function soakText(hours: number): string {
  return `${durationText(hours * 3_600_000)} in the environments before`;
}

function NeighboursPanel({ deployment }: { deployment: Deployment }) {
  const query = useQuery(neighboursQuery(deployment.id));
  const { data, error, refetch } = query;
  return (
    <section aria-label="Before and after" className="grid gap-3 sm:grid-cols-2">
      <OldData query={query} className="rounded-md sm:col-span-2" />
      {!data && error ? (
        <Panel>
          <ErrorState error={error} onRetry={() => void refetch()} />
        </Panel>
      ) : null}
      {!data && !error ? [0, 1].map((index) => <Skeleton key={index} className="h-[4.75rem]" />) : null}
      {data ? (
        <>
          <Neighbour label="Before" deployment={data.previous} absent="The first deployment there" />
          <Neighbour label="After" deployment={data.next} absent="The newest deployment there" />
        </>
      ) : null}
    </section>
  );
}

function Neighbour({ label, deployment, absent }: { label: string; deployment: Deployment | null; absent: string }) {
  return (
    <div className="flex min-h-[4.75rem] flex-col gap-1 rounded-lg border border-line bg-surface px-4 py-3">
      <span className="text-xs text-muted">{label}</span>
      {deployment ? (
        <span className="flex min-w-0 flex-wrap items-center gap-2">
          <AppLink to={`/deployments/${deployment.id}`} className={LINK}>
            <VersionName>{deployment.version}</VersionName>
          </AppLink>
          <StatusBadge status={deployment.status} isStale={deployment.is_stale} />
          <Time at={deployment.deployed_at} className="text-sm text-muted" />
        </span>
      ) : (
        <span className="text-muted">{absent}</span>
      )}
    </div>
  );
}
