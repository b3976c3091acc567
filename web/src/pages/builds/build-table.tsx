import type { Build } from "@versioner/client";

import { AppLink } from "../../components/app-link";
import { StatusBadge } from "../../components/badge";
import { ExternalLink } from "../../components/external-link";
import { Name, VersionName } from "../../components/name";
import { Cell, Row, Table } from "../../components/table";
import { Time } from "../../components/time";
import { safeURL } from "../../lib/links";

const COLUMNS = [
  { title: "Version" },
  { title: "Product", from: "sm" },
  { title: "Number", className: "w-24", from: "lg" },
  { title: "Status", className: "w-32" },
  { title: "By", from: "md" },
  { title: "When", className: "w-24 sm:w-28" },
  { title: "Pipeline", from: "sm", hideTitle: true, className: "w-16" },
] as const;

/** Builds, newest first; `hideProduct` leaves out what all have in common. */
export function BuildTable({
  builds,
  isDimmed = false,
  hideProduct = false,
}: {
  builds: readonly Build[];
  isDimmed?: boolean;
  hideProduct?: boolean;
}) {
  const columns = COLUMNS.filter(({ title }) => !(hideProduct && title === "Product"));
  return (
    <Table label="Builds" columns={columns} isDimmed={isDimmed}>
      {builds.map((build) => (
        <BuildRow key={build.id} build={build} hideProduct={hideProduct} />
      ))}
    </Table>
  );
}

function BuildRow({ build, hideProduct }: { build: Build; hideProduct: boolean }) {
  const who = build.built_by_name || build.built_by;
  return (
    <Row>
      <Cell>
        <AppLink to={`/builds/${build.id}`} className="block leading-6 rounded font-medium hover:underline">
          <VersionName cut>{build.version}</VersionName>
        </AppLink>
        {hideProduct ? null : (
          <Name cut className="text-sm text-muted sm:hidden">
            {build.product_name}
          </Name>
        )}
      </Cell>
      {hideProduct ? null : (
        <Cell from="sm">
          <AppLink to={`/products/${build.product_id}`} className="block leading-6 rounded hover:underline">
            <Name cut>{build.product_name}</Name>
          </AppLink>
        </Cell>
      )}
      <Cell from="lg" className="text-muted">
        {build.build_number ? <Name cut>{build.build_number}</Name> : "–"}
      </Cell>
      <Cell>
        <StatusBadge status={build.status} isStale={build.is_stale} />
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
        <Time at={build.occurred_at} />
      </Cell>
      <Cell from="sm">{safeURL(build.build_url) ? <ExternalLink href={build.build_url}>CI</ExternalLink> : null}</Cell>
    </Row>
  );
}
