import type { Deployment } from "@versioner/client";

import { AppLink } from "../../components/app-link";
import { StatusBadge } from "../../components/badge";
import { ExternalLink } from "../../components/external-link";
import { Name, VersionName } from "../../components/name";
import { Cell, Row, Table } from "../../components/table";
import { Time } from "../../components/time";
import { safeURL } from "../../lib/links";

const COLUMNS = [
  { title: "Version" },
  { title: "Product", from: "md" },
  { title: "Environment", from: "md" },
  { title: "Status", className: "w-32" },
  { title: "By", from: "md" },
  { title: "Started", className: "w-24 sm:w-36" },
  { title: "Pipeline", from: "sm", hideTitle: true, className: "w-16" },
] as const;

/** Deployments, newest first; `hideProduct` leaves out what all have in common. */
export function DeploymentTable({
  deployments,
  isDimmed = false,
  hideProduct = false,
}: {
  deployments: readonly Deployment[];
  isDimmed?: boolean;
  hideProduct?: boolean;
}) {
  const columns = COLUMNS.filter(({ title }) => !(hideProduct && title === "Product"));
  return (
    <Table label="Deployments" columns={columns} isDimmed={isDimmed}>
      {deployments.map((deployment) => (
        <DeploymentRow key={deployment.id} deployment={deployment} hideProduct={hideProduct} />
      ))}
    </Table>
  );
}

function DeploymentRow({ deployment, hideProduct }: { deployment: Deployment; hideProduct: boolean }) {
  const who = deployment.deployed_by_name || deployment.deployed_by;
  return (
    <Row>
      <Cell>
        <AppLink to={`/deployments/${deployment.id}`} className="block leading-6 rounded font-medium hover:underline">
          <VersionName cut>{deployment.version}</VersionName>
        </AppLink>
        <span className="block text-sm text-muted md:hidden">
          {hideProduct ? null : <Name cut>{deployment.product_name}</Name>}
          <Name cut>{deployment.environment_name}</Name>
        </span>
      </Cell>
      {hideProduct ? null : (
        <Cell from="md">
          <AppLink to={`/products/${deployment.product_id}`} className="block leading-6 rounded hover:underline">
            <Name cut>{deployment.product_name}</Name>
          </AppLink>
        </Cell>
      )}
      <Cell from="md">
        <AppLink to={`/environments/${deployment.environment_id}`} className="block leading-6 rounded hover:underline">
          <Name cut>{deployment.environment_name}</Name>
        </AppLink>
      </Cell>
      <Cell>
        <StatusBadge status={deployment.status} isStale={deployment.is_stale} />
        {who ? (
          <Name cut className="block text-sm text-muted md:hidden">
            {who}
          </Name>
        ) : null}
      </Cell>
      <Cell from="md" className="text-muted">
        {who ? <Name cut>{who}</Name> : "–"}
      </Cell>
      <Cell className="text-sm text-muted">
        <Start deployment={deployment} />
      </Cell>
      <Cell from="sm">
        {safeURL(deployment.deploy_url) ? <ExternalLink href={deployment.deploy_url}>CI</ExternalLink> : null}
      </Cell>
    </Row>
  );
}

/** When it started; of a deployment without a reported start, which time it is. */
function Start({ deployment: { started_at, completed_at, occurred_at } }: { deployment: Deployment }) {
  if (started_at) return <Time at={started_at} />;
  return (
    <>
      {completed_at ? "ended " : "reported "}
      <Time at={completed_at ?? occurred_at} />
    </>
  );
}
