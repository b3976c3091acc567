import { useQuery } from "@tanstack/react-query";
import type { Build } from "@versioner/client";

import { buildEventsQuery, buildQuery } from "../../api/builds";
import { AppLink } from "../../components/app-link";
import { StatusBadge } from "../../components/badge";
import { Commit } from "../../components/commit";
import { CopyButton } from "../../components/copy-button";
import { EventTimeline } from "../../components/event-timeline";
import { ExternalLink } from "../../components/external-link";
import { Fact, Facts } from "../../components/facts";
import { MetadataPanel } from "../../components/json";
import { Loaded, Trail } from "../../components/loaded";
import { Name, VersionName } from "../../components/name";
import { Page, Panel } from "../../components/page";
import { ScriptPanel } from "../../components/script-panel";
import { Time } from "../../components/time";
import { Who } from "../../components/who";
import { safeURL } from "../../lib/links";
import { useRouteId } from "../../lib/route";
import { durationOf } from "../../lib/time";

/** One build: what its events reported. */
export default function BuildPage() {
  const query = useQuery(buildQuery(useRouteId()));
  return (
    <Loaded query={query} kind="Build" list="/builds">
      {(build) => <Content build={build} />}
    </Loaded>
  );
}

function Content({ build }: { build: Build }) {
  return (
    <Page
      title={`Build of ${build.product_name} ${build.version}`}
      lead={
        <Trail to="/builds" label="Builds">
          <StatusBadge status={build.status} isStale={build.is_stale} />
          <Time at={build.occurred_at} />
        </Trail>
      }
      actions={
        <>
          {safeURL(build.build_url) ? <ExternalLink href={build.build_url}>Open the pipeline</ExternalLink> : null}
          <CopyButton text={build.id} label="Copy the identifier" />
        </>
      }
    >
      {build.error_message || build.error_code ? (
        <p role="note" className="rounded-lg bg-bad-soft px-4 py-3 text-bad">
          {build.error_code ? <Name className="block font-mono text-sm font-semibold">{build.error_code}</Name> : null}
          {build.error_message ? <Name className="block whitespace-pre-wrap">{build.error_message}</Name> : null}
        </p>
      ) : null}
      <Panel>
        <BuildFacts build={build} />
      </Panel>
      <EventTimeline options={buildEventsQuery(build.id)} />
      <MetadataPanel data={build.extra_metadata} />
      <ScriptPanel path={`/builds/${build.id}`} />
    </Page>
  );
}

const LINK = "inline-flex min-h-6 min-w-0 items-center rounded text-accent hover:underline";

function BuildFacts({ build: it }: { build: Build }) {
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
      <Fact name="By">
        <Who name={it.built_by_name} login={it.built_by} email={it.built_by_email} />
      </Fact>
      <Fact name="Started">{it.started_at ? <Time at={it.started_at} /> : null}</Fact>
      <Fact name="Ended">{it.completed_at ? <Time at={it.completed_at} /> : null}</Fact>
      <Fact name="Duration">{durationOf(it.started_at, it.completed_at)}</Fact>
      <Fact name="Build number">{it.build_number ? <Name>{it.build_number}</Name> : null}</Fact>
      <Fact name="Commit">{it.scm_sha ? <Commit sha={it.scm_sha} /> : null}</Fact>
      <Fact name="Branch">{it.scm_branch ? <Name>{it.scm_branch}</Name> : null}</Fact>
      <Fact name="Repository">{it.scm_repository ? <Name>{it.scm_repository}</Name> : null}</Fact>
      <Fact name="Reported by">{it.source_system ? <Name>{it.source_system}</Name> : null}</Fact>
      <Fact name="Run">{it.invoke_id ? <Name>{it.invoke_id}</Name> : null}</Fact>
      <Fact name="Pipeline">{it.build_url ? <ExternalLink href={it.build_url} /> : null}</Fact>
    </Facts>
  );
}
