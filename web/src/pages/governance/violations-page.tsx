import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { RuleViolation } from "@versioner/client";

import { ruleChoicesQuery, VIOLATION_FILTERS, violationsQuery } from "../../api/governance";
import { AppLink } from "../../components/app-link";
import { Badge } from "../../components/badge";
import { ChoiceFilter, EnvironmentFilter, FilterBar, ProductFilter, TimeFilter } from "../../components/filters";
import { Name, VersionName } from "../../components/name";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { Time } from "../../components/time";
import { type Search, useFilters } from "../../lib/search";
import { ACTIONS, CODES, RULE_TYPES } from "./texts";

const ACTION_CHOICES = Object.fromEntries(Object.entries(ACTIONS).map(([action, { word }]) => [action, word]));

/** What rules have found about deployments: what was blocked, reported, overridden or skipped. */
export default function ViolationsPage() {
  const [search, change] = useFilters();
  const filters: Search = Object.fromEntries(VIOLATION_FILTERS.map((name) => [name, search[name]]));
  const query = useInfiniteQuery(violationsQuery(filters));
  const { data: rules } = useQuery(ruleChoicesQuery);
  const isFiltered = Object.values(filters).some(Boolean);
  return (
    <Page title="Rule violations" lead="Deployments that rules have blocked or reported, newest first">
      <FilterBar
        isFiltered={isFiltered}
        onClear={() => change(Object.fromEntries(VIOLATION_FILTERS.map((name) => [name, ""])))}
      >
        <ProductFilter isMain value={filters["product"]} onChange={(product) => change({ product })} />
        <EnvironmentFilter value={filters["environment"]} onChange={(environment) => change({ environment })} />
        <ChoiceFilter
          label="Rule"
          any="Any rule"
          value={filters["rule"]}
          choices={Object.fromEntries((rules ?? []).map(({ id, name }) => [id, name]))}
          onChange={(rule) => change({ rule })}
        />
        <ChoiceFilter
          label="Consequence"
          any="Any outcome"
          value={filters["action"]}
          choices={ACTION_CHOICES}
          onChange={(action) => change({ action })}
        />
        <ChoiceFilter
          label="Reason"
          any="Any reason"
          value={filters["code"]}
          choices={CODES}
          onChange={(code) => change({ code })}
        />
        <TimeFilter label="Since" value={filters["since"]} onChange={(since) => change({ since })} />
        <TimeFilter label="Until" value={filters["until"]} onChange={(until) => change({ until })} />
      </FilterBar>
      <Panel>
        <ObjectList
          query={query}
          noun="violations"
          empty={
            isFiltered ? (
              <EmptyState title="No violation matches the filters" />
            ) : (
              <EmptyState title="No rule has been violated">
                Deployments that a rule blocks or reports appear here.
              </EmptyState>
            )
          }
        >
          {(violations, isDimmed) => (
            <RecordList label="Violations" isDimmed={isDimmed}>
              {violations.map((violation) => (
                <ViolationRow key={violation.id} violation={violation} />
              ))}
            </RecordList>
          )}
        </ObjectList>
      </Panel>
    </Page>
  );
}

const LINK = "min-w-0 rounded text-accent hover:underline";

function ViolationRow({ violation: it }: { violation: RuleViolation }) {
  const { tone, glyph, word } = ACTIONS[it.action];
  return (
    <RecordRow
      title={
        <>
          <Badge tone={tone} glyph={glyph}>
            {word}
          </Badge>
          <span className="min-w-0">
            <AppLink to={`/deployments/${it.deployment_id}`} className={LINK}>
              <Name>{it.product_name}</Name> <VersionName>{it.version}</VersionName>
            </AppLink>
            {" to "}
            <Name>{it.environment_name}</Name>
          </span>
        </>
      }
      facts={
        <>
          <Time at={it.occurred_at} className="text-text" />
          <Fact label="Rule">
            <Name>{it.rule_name}</Name>
          </Fact>
          <Fact label="Type">{RULE_TYPES[it.rule_type]}</Fact>
          <Fact label="Reason">{CODES[it.code]}</Fact>
          {it.clears_at ? (
            <Fact label={it.certain ? "Passes" : "Passes at the latest"}>
              <Time at={it.clears_at} />
            </Fact>
          ) : null}
        </>
      }
    >
      <Name className="text-sm break-words whitespace-pre-wrap">{it.message}</Name>
    </RecordRow>
  );
}
