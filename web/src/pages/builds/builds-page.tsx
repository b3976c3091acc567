import { useInfiniteQuery } from "@tanstack/react-query";

import { BUILD_FILTERS, buildsQuery } from "../../api/builds";
import {
  ChoiceFilter,
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
import { BuildTable } from "./build-table";

/** All builds, newest first, by the filters of the API. */
export default function BuildsPage() {
  const [search, change] = useFilters();
  const filters: Search = Object.fromEntries(BUILD_FILTERS.map((name) => [name, search[name]]));
  const query = useInfiniteQuery(buildsQuery(filters));
  const isFiltered = Object.values(filters).some(Boolean);
  const clear = () => change(Object.fromEntries(BUILD_FILTERS.map((name) => [name, ""])));
  return (
    <Page title="Builds" lead="What has been built, newest first">
      <FilterBar isFiltered={isFiltered} onClear={clear}>
        <ProductFilter isMain value={search["product"]} onChange={(product) => change({ product })} />
        <TextFilter label="Version" value={search["version"]} onChange={(version) => change({ version })} />
        <ChoiceFilter
          label="Status"
          any="Any status"
          value={search["status"]}
          choices={STATUS_CHOICES}
          onChange={(status) => change({ status })}
        />
        <details className="w-full" open={["scm_sha", "since", "until"].some((name) => search[name]) || undefined}>
          <summary className="min-h-6 w-fit rounded text-sm text-muted hover:text-text">More filters</summary>
          <div className="flex flex-wrap items-end gap-2 pt-2">
            <TextFilter label="Commit" value={search["scm_sha"]} onChange={(scm_sha) => change({ scm_sha })} />
            <TimeFilter label="Since" value={search["since"]} onChange={(since) => change({ since })} />
            <TimeFilter label="Until" value={search["until"]} onChange={(until) => change({ until })} />
          </div>
        </details>
      </FilterBar>
      <Panel>
        <ObjectList
          query={query}
          noun="builds"
          empty={
            isFiltered ? (
              <EmptyState title="No build matches the filters" />
            ) : (
              <EmptyState title="No build yet">They appear here when a pipeline reports its builds.</EmptyState>
            )
          }
        >
          {(builds, isDimmed) => <BuildTable builds={builds} isDimmed={isDimmed} />}
        </ObjectList>
      </Panel>
      <ScriptPanel path="/builds/" query={filters} />
    </Page>
  );
}
