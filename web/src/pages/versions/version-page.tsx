import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { Release, Version } from "@versioner/client";

import { buildsQuery } from "../../api/builds";
import { deploymentsOfVersionQuery } from "../../api/deployments";
import { productStateQuery } from "../../api/products";
import { releasesOfVersionQuery } from "../../api/releases";
import { requestsQuery } from "../../api/requests";
import { versionQuery } from "../../api/versions";
import { AppLink } from "../../components/app-link";
import { Badge, StatusBadge } from "../../components/badge";
import { Commit } from "../../components/commit";
import { CopyButton } from "../../components/copy-button";
import { ExternalLink } from "../../components/external-link";
import { Fact, Facts } from "../../components/facts";
import { Loaded, Trail } from "../../components/loaded";
import { Name } from "../../components/name";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { ScriptPanel } from "../../components/script-panel";
import { StateTable } from "../../components/state-table";
import { EmptyState, WhenLoaded } from "../../components/states";
import { Cell, Row, Table } from "../../components/table";
import { Time } from "../../components/time";
import { safeURL } from "../../lib/links";
import { useRouteId } from "../../lib/route";
import { BuildTable } from "../builds/build-table";
import { DeploymentTable } from "../deployments/deployment-table";
import { ApprovalsPanel } from "../governance/approvals-panel";
import { PreflightOfVersion } from "../preflight/preflight-box";
import { DeployVersion } from "../templates/deploy-link";
import { timelineEnvironments } from "../products/timelines-data";
import { STATUS_LABELS } from "../releases/release-status";
import { RequestRows } from "../requests/request-rows";

/** One version: where it runs, how it got there, and what built it. */
export default function VersionPage() {
  const query = useQuery(versionQuery(useRouteId()));
  return (
    <Loaded query={query} kind="Version" list="/versions">
      {(version) => <Content version={version} />}
    </Loaded>
  );
}

function Content({ version }: { version: Version }) {
  const deployments = useInfiniteQuery(deploymentsOfVersionQuery(version.id));
  const builds = useInfiniteQuery(buildsQuery({ version: version.id }));
  return (
    <Page
      title={`${version.product_name} ${version.version}`}
      lead={
        <Trail to="/versions" label="Versions">
          {version.build_status ? <StatusBadge status={version.build_status} /> : null}
        </Trail>
      }
      actions={
        <>
          {safeURL(version.build_url) ? <ExternalLink href={version.build_url}>Open the build</ExternalLink> : null}
          <CopyButton text={version.version} label="Copy the version" />
          <CopyButton text={version.id} label="Copy the identifier" />
        </>
      }
    >
      <Panel>
        <Facts>
          <Fact name="Product">
            <AppLink
              to={`/products/${version.product_id}`}
              className="inline-flex min-h-6 items-center text-accent hover:underline"
            >
              <Name>{version.product_name}</Name>
            </AppLink>
          </Fact>
          <Fact name="Commit">{version.scm_sha ? <Commit sha={version.scm_sha} /> : null}</Fact>
          <Fact name="First reported">
            <Time at={version.created_at} />
          </Fact>
        </Facts>
      </Panel>
      <RunsPanel version={version} />
      <Panel title="May I deploy it?">
        <PreflightOfVersion version={version} />
      </Panel>
      <DeployVersion version={version} />
      <ApprovalsPanel version={version} />
      <Panel title="How it got there">
        <ObjectList
          query={deployments}
          noun="deployments"
          skeletons={4}
          empty={<EmptyState title="This version has not been deployed" />}
        >
          {(items) => <DeploymentTable deployments={items} hideProduct />}
        </ObjectList>
      </Panel>
      <Panel title="Builds">
        <ObjectList
          query={builds}
          noun="builds"
          skeletons={2}
          empty={<EmptyState title="No build of this version has been reported" />}
        >
          {(items) => <BuildTable builds={items} hideProduct />}
        </ObjectList>
      </Panel>
      <ReleasesPanel version={version.id} />
      <RequestsPanel version={version.id} />
      <ScriptPanel path={`/versions/${version.id}`} />
    </Page>
  );
}

function RunsPanel({ version }: { version: Version }) {
  const query = useQuery(productStateQuery(version.product_id));
  return (
    <Panel title="Where it runs">
      <WhenLoaded query={query} skeletons={3}>
        {(all) => {
          const states = all.filter(({ version_id }) => version_id === version.id);
          return states.length > 0 ? (
            <StateTable states={timelineEnvironments(states)} by="environment" />
          ) : (
            <EmptyState title="This version runs in no environment" />
          );
        }}
      </WhenLoaded>
    </Panel>
  );
}

function ReleasesPanel({ version }: { version: string }) {
  const query = useInfiniteQuery(releasesOfVersionQuery(version));
  return (
    <Panel title="Releases">
      <ObjectList
        query={query}
        noun="releases"
        skeletons={2}
        empty={<EmptyState title="No release contains this version" />}
      >
        {(releases) => (
          <Table
            label="Releases"
            columns={[
              { title: "Name" },
              { title: "Status", className: "w-32" },
              { title: "Changed", className: "w-28" },
            ]}
          >
            {releases.map((release) => (
              <ReleaseRow key={release.id} release={release} />
            ))}
          </Table>
        )}
      </ObjectList>
    </Panel>
  );
}

/** The requests that name the version: at most 500. */
function RequestsPanel({ version }: { version: string }) {
  const query = useInfiniteQuery(requestsQuery({ version_id: version }));
  return (
    <Panel title="Deployment requests">
      <ObjectList
        query={query}
        noun="requests"
        skeletons={2}
        empty={<EmptyState title="No deployment request names this version" />}
      >
        {(requests, isDimmed) => <RequestRows requests={requests} isDimmed={isDimmed} />}
      </ObjectList>
    </Panel>
  );
}

function ReleaseRow({ release: { id, name, status, updated_at } }: { release: Release }) {
  const { tone, glyph, word } = STATUS_LABELS[status];
  return (
    <Row>
      <Cell>
        <AppLink to={`/releases/${id}`} className="block leading-6 rounded font-medium hover:underline">
          <Name cut>{name}</Name>
        </AppLink>
      </Cell>
      <Cell>
        <Badge tone={tone} glyph={glyph}>
          {word}
        </Badge>
      </Cell>
      <Cell className="text-sm text-muted">
        <Time at={updated_at} />
      </Cell>
    </Row>
  );
}
