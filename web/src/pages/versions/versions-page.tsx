import { useInfiniteQuery } from "@tanstack/react-query";
import type { Version } from "@versioner/client";

import { versionsQuery } from "../../api/versions";
import { AppLink } from "../../components/app-link";
import { StatusBadge } from "../../components/badge";
import { FilterBar, ProductFilter, TextFilter } from "../../components/filters";
import { Name, VersionName } from "../../components/name";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { EmptyState } from "../../components/states";
import { Cell, Row, Table } from "../../components/table";
import { Time } from "../../components/time";
import { useFilters } from "../../lib/search";

/** All versions, newest first. */
export default function VersionsPage() {
  const [{ product, q, scm_sha }, change] = useFilters();
  const query = useInfiniteQuery(versionsQuery({ product, q, scm_sha }));
  const isFiltered = Boolean(product || q || scm_sha);
  return (
    <Page title="Versions" lead="What has been built or deployed, newest first">
      <FilterBar isFiltered={isFiltered} onClear={() => change({ product: "", q: "", scm_sha: "" })}>
        <TextFilter label="Filter versions" isMain value={q} onChange={(text) => change({ q: text })} />
        <ProductFilter value={product} onChange={(name) => change({ product: name })} />
        <TextFilter label="Commit" value={scm_sha} onChange={(sha) => change({ scm_sha: sha })} />
      </FilterBar>
      <Panel>
        <ObjectList
          query={query}
          noun="versions"
          empty={
            isFiltered ? (
              <EmptyState title="No version matches the filters" />
            ) : (
              <EmptyState title="No version yet">The first event that names a version creates it.</EmptyState>
            )
          }
        >
          {(versions, isDimmed) => <VersionTable versions={versions} isDimmed={isDimmed} />}
        </ObjectList>
      </Panel>
    </Page>
  );
}

const COLUMNS = [
  { title: "Version" },
  { title: "Product", from: "sm" },
  { title: "Build", className: "w-32" },
  { title: "Commit", className: "w-32", from: "lg" },
  { title: "Created", className: "w-28" },
] as const;

function VersionTable({ versions, isDimmed }: { versions: readonly Version[]; isDimmed: boolean }) {
  return (
    <Table label="Versions" columns={COLUMNS} isDimmed={isDimmed}>
      {versions.map(({ id, version, product_id, product_name, build_status, scm_sha, created_at }) => (
        <Row key={id}>
          <Cell>
            <AppLink to={`/versions/${id}`} className="block leading-6 rounded font-medium hover:underline">
              <VersionName cut>{version}</VersionName>
            </AppLink>
            <Name cut className="text-sm text-muted sm:hidden">
              {product_name}
            </Name>
          </Cell>
          <Cell from="sm">
            <AppLink to={`/products/${product_id}`} className="block leading-6 rounded hover:underline">
              <Name cut>{product_name}</Name>
            </AppLink>
          </Cell>
          <Cell>{build_status ? <StatusBadge status={build_status} /> : <span className="text-muted">–</span>}</Cell>
          <Cell from="lg" className="text-muted">
            {scm_sha ? (
              <bdi className="font-mono text-sm" title={scm_sha}>
                {scm_sha.slice(0, 10)}
              </bdi>
            ) : (
              "–"
            )}
          </Cell>
          <Cell className="text-sm text-muted">
            <Time at={created_at} />
          </Cell>
        </Row>
      ))}
    </Table>
  );
}
