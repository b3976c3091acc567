import { useInfiniteQuery } from "@tanstack/react-query";

import { DEPLOYMENT_FILTERS, deploymentsQuery } from "../../api/deployments";
import {
  ChoiceFilter,
  EnvironmentFilter,
  FilterBar,
  ProductFilter,
  STATUS_CHOICES,
  TextFilter,
  TimeFilter,
} from "../../components/filters";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { ScriptPanel } from "../../components/script-panel";
import { EmptyState } from "../../components/states";
import { type Search, useFilters } from "../../lib/search";
import { DeploymentTable } from "./deployment-table";

const MORE = ["version", "scm_sha", "since", "until"] as const;

/** All deployments, newest first, by the filters of the API. */
export default function DeploymentsPage() {
  const [search, change] = useFilters();
  const filters: Search = Object.fromEntries(DEPLOYMENT_FILTERS.map((name) => [name, search[name]]));
  const query = useInfiniteQuery(deploymentsQuery(filters));
  const isFiltered = Object.values(filters).some(Boolean);
  const clear = () => change(Object.fromEntries(DEPLOYMENT_FILTERS.map((name) => [name, ""])));
  return (
    <Page title="Deployments" lead="What has been deployed, newest first">
      <FilterBar isFiltered={isFiltered} onClear={clear}>
        <ProductFilter isMain value={search["product"]} onChange={(product) => change({ product })} />
        <EnvironmentFilter value={search["environment"]} onChange={(environment) => change({ environment })} />
        <ChoiceFilter
          label="Status"
          any="Any status"
          value={search["status"]}
          choices={{ ...STATUS_CHOICES, preflight_failed: "Blocked by rules" }}
          onChange={(status) => change({ status })}
        />
        <details className="w-full" open={MORE.some((name) => search[name]) || undefined}>
          <summary className="min-h-6 w-fit rounded text-sm text-muted hover:text-text">More filters</summary>
          <div className="flex flex-wrap items-end gap-2 pt-2">
            <TextFilter label="Version" value={search["version"]} onChange={(version) => change({ version })} />
            <TextFilter label="Commit" value={search["scm_sha"]} onChange={(scm_sha) => change({ scm_sha })} />
            <TimeFilter label="Since" value={search["since"]} onChange={(since) => change({ since })} />
            <TimeFilter label="Until" value={search["until"]} onChange={(until) => change({ until })} />
          </div>
        </details>
      </FilterBar>
      <Panel>
        <ObjectList
          query={query}
          noun="deployments"
          empty={
            isFiltered ? (
              <EmptyState title="No deployment matches the filters" />
            ) : (
              <EmptyState title="No deployment yet">They appear here when a pipeline sends its first event.</EmptyState>
            )
          }
        >
          {(deployments, isDimmed) => <DeploymentTable deployments={deployments} isDimmed={isDimmed} />}
        </ObjectList>
      </Panel>
      <ScriptPanel path="/deployments/" query={filters} />
    </Page>
  );
}
