import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { DeploymentRule, DeploymentRuleCreate } from "@versioner/client";
import { useState } from "react";

import { addRule, rulesQuery } from "../../api/rules";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Button } from "../../components/button";
import { ChoiceFilter, FilterBar, TextFilter } from "../../components/filters";
import { Name } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { Page, Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState, WhenLoaded } from "../../components/states";
import { CreateDialog } from "../../forms/create-dialog";
import { byName } from "../../lib/by-name";
import { type Search, useFilters } from "../../lib/search";
import { RULE_TYPES } from "../governance/texts";
import { ModeBadge } from "./mode-badge";
import { newRuleFields, newRuleValues } from "./rule-form";
import { MODES, ruleText, scopeText } from "./rule-texts";

const MODE_FILTER = Object.fromEntries(Object.entries(MODES).map(([mode, { word }]) => [mode, word]));

/** The rules that decide whether deployments may start, in the order in which violations are shown. */
export default function RulesPage() {
  const [search, change] = useFilters();
  const query = useQuery(rulesQuery);
  const mayWrite = usePermission("rules.write");
  const [isFormOpen, setFormOpen] = useState(false);
  const isFiltered = ["q", "type", "mode"].some((name) => search[name]);
  return (
    <Page
      title="Deployment rules"
      lead="What decides whether a deployment may start"
      actions={
        mayWrite ? (
          <Button kind="primary" onClick={() => setFormOpen(true)}>
            New rule
          </Button>
        ) : null
      }
    >
      <ReadOnlyNote permission="rules.write" what="create, change, switch on or delete deployment rules" />
      <FilterBar isFiltered={isFiltered} onClear={() => change({ q: "", type: "", mode: "" })}>
        <TextFilter label="Name or scope" isMain value={search["q"]} onChange={(q) => change({ q })} />
        <ChoiceFilter
          label="Type"
          any="Any type"
          value={search["type"]}
          choices={RULE_TYPES}
          onChange={(type) => change({ type })}
        />
        <ChoiceFilter
          label="Mode"
          any="Any mode"
          value={search["mode"]}
          choices={MODE_FILTER}
          onChange={(mode) => change({ mode })}
        />
      </FilterBar>
      <Panel>
        <WhenLoaded query={query} skeletons={6}>
          {(rules) => <Rules rules={rules.filter((rule) => matches(rule, search))} isEmpty={rules.length === 0} />}
        </WhenLoaded>
      </Panel>
      {isFormOpen ? <NewRule onClose={() => setFormOpen(false)} /> : null}
    </Page>
  );
}

function matches(rule: DeploymentRule, { q = "", type, mode }: Search): boolean {
  const text = `${rule.name}\n${scopeText(rule.scope)}`.toLowerCase();
  return (!type || rule.rule_type === type) && (!mode || rule.mode === mode) && text.includes(q.toLowerCase());
}

function Rules({ rules, isEmpty }: { rules: readonly DeploymentRule[]; isEmpty: boolean }) {
  if (isEmpty) {
    return (
      <EmptyState title="No rule yet">
        Without rules, every deployment may start. A rule can freeze environments, require others first, limit how many
        are in progress, or require approvals.
      </EmptyState>
    );
  }
  if (rules.length === 0) return <EmptyState title="No rule matches the filters" />;
  return (
    <RecordList label="Deployment rules">
      {[...rules]
        .sort((one, other) => one.priority - other.priority || byName(one.name, other.name))
        .map((rule) => (
          <RuleRow key={rule.id} rule={rule} />
        ))}
    </RecordList>
  );
}

function RuleRow({ rule }: { rule: DeploymentRule }) {
  return (
    <RecordRow
      title={
        <>
          <ModeBadge mode={rule.mode} />
          <AppLink to={`/rules/${rule.id}`} className="min-h-6 min-w-0 rounded font-medium text-accent hover:underline">
            <Name>{rule.name}</Name>
          </AppLink>
        </>
      }
      facts={
        <>
          <Fact label="Type">{RULE_TYPES[rule.rule_type]}</Fact>
          <Fact label="Applies to">
            <Name className="break-words">{scopeText(rule.scope)}</Name>
          </Fact>
          <Fact label="Priority">{rule.priority}</Fact>
        </>
      }
    >
      <Name className="text-sm break-words">{ruleText(rule)}</Name>
    </RecordRow>
  );
}

function NewRule({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  return (
    <CreateDialog
      title="New rule"
      isWide
      fields={newRuleFields}
      initial={newRuleValues()}
      create={(body: DeploymentRuleCreate) => addRule(body)}
      onCreated={({ id }) => void navigate({ to: `/rules/${id}` as "/" })}
      onClose={onClose}
    >
      <p className="text-muted">
        A new rule is a draft: it applies to no deployment. Its page shows its next windows and what it would have
        blocked; switch it on there.
      </p>
    </CreateDialog>
  );
}
