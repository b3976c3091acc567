import { useQuery } from "@tanstack/react-query";
import type { DeploymentRule, RuleMode, RuleWindow } from "@versioner/client";
import { useState } from "react";

import type { Revised } from "../../api/lists";
import { BACKTEST_DAYS, ruleQuery } from "../../api/rules";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Button, buttonClass } from "../../components/button";
import { Fact, Facts } from "../../components/facts";
import { Loaded } from "../../components/loaded";
import { Name } from "../../components/name";
import { Panel } from "../../components/page";
import { RecordList, RecordRow } from "../../components/record-list";
import { Time } from "../../components/time";
import { ObjectPage } from "../../forms/object-page";
import { useRouteId } from "../../lib/route";
import { RULE_TYPES } from "../governance/texts";
import { BacktestResult } from "./backtest-result";
import { ImportDialog } from "./import-dialog";
import { EffectBadge, ModeBadge } from "./mode-badge";
import { MODE_ACTIONS, ModeDialog } from "./mode-dialog";
import { NextWindows } from "./next-windows";
import { ruleEditing } from "./rule-form";
import { MODES, ruleText, scopeText, windowTimes } from "./rule-texts";

/** One deployment rule: what it does, when, and what it would have blocked. */
export default function RulePage() {
  const query = useQuery(ruleQuery(useRouteId()));
  return (
    <Loaded query={query} kind="Rule" list="/rules">
      {(revised) => <Content key={revised.object.id} revised={revised} />}
    </Loaded>
  );
}

function Content({ revised }: { revised: Revised<DeploymentRule> }) {
  const rule = revised.object;
  const mayWrite = usePermission("rules.write");
  const [mode, setMode] = useState<RuleMode | null>(null);
  const [isImporting, setImporting] = useState(false);
  const others = (Object.keys(MODES) as RuleMode[]).filter((one) => one !== rule.mode);
  return (
    <ObjectPage
      revised={revised}
      list={{ to: "/rules", label: "Deployment rules" }}
      editing={ruleEditing(rule.rule_type)}
      permission="rules.write"
      changes="change, switch on or delete deployment rules"
      trail={<ModeBadge mode={rule.mode} />}
      actions={
        <>
          <AppLink to="/violations" search={{ rule: rule.id }} className={buttonClass()}>
            Violations
          </AppLink>
          {mayWrite
            ? others.map((one) => (
                <Button key={one} kind={one === "enabled" ? "primary" : "secondary"} onClick={() => setMode(one)}>
                  {MODE_ACTIONS[one]}
                </Button>
              ))
            : null}
        </>
      }
      formNote={rule.schedule ? <SavedWindows rule={rule} /> : null}
      script={{ path: `/deployment-rules/${rule.id}` }}
    >
      <Panel>
        <p className="px-4 pt-4">
          <Name className="break-words">{ruleText(rule)}</Name>
        </p>
        <Facts>
          <Fact name="Type">{RULE_TYPES[rule.rule_type]}</Fact>
          <Fact name="Applies to">
            <Name className="min-w-0 break-words">{scopeText(rule.scope)}</Name>
          </Fact>
          <Fact name="Rollbacks">
            {rule.rollback === "enforce" || !rule.rollback ? "as other deployments" : "pass"}
          </Fact>
          <Fact name="Priority">{rule.priority}</Fact>
          {rule.schedule ? <Fact name="Time zone">{rule.schedule.timezone}</Fact> : null}
          {rule.concurrency ? (
            <Fact name="Without an event, one counts for">{`${rule.concurrency.stale_after_minutes} min`}</Fact>
          ) : null}
          <Fact name="Changed">
            <Time at={rule.updated_at} />
          </Fact>
        </Facts>
      </Panel>
      {rule.schedule ? (
        <div className="grid items-start gap-4 xl:grid-cols-2">
          <Panel
            title="Windows"
            actions={
              mayWrite ? (
                <Button small onClick={() => setImporting(true)}>
                  Import a calendar
                </Button>
              ) : null
            }
          >
            <Windows windows={rule.schedule.windows} />
          </Panel>
          <Panel title="Next windows">
            <NextWindows rule={rule} />
          </Panel>
        </div>
      ) : null}
      {mayWrite ? <BacktestPanel revised={revised} /> : null}
      {isImporting ? <ImportDialog revised={revised} onClose={() => setImporting(false)} /> : null}
      {mode ? <ModeDialog revised={revised} mode={mode} onClose={() => setMode(null)} /> : null}
    </ObjectPage>
  );
}

/** How many windows are listed at once. */
const WINDOWS = 20;

function Windows({ windows }: { windows: readonly RuleWindow[] }) {
  const [isAll, setAll] = useState(false);
  const shown = isAll ? windows : windows.slice(0, WINDOWS);
  return (
    <>
      <RecordList label="Windows">
        {shown.map((window, index) => (
          <RecordRow
            key={index}
            title={
              <>
                <EffectBadge effect={window.effect} />
                <Name className="min-w-0 font-medium break-words">{window.name}</Name>
              </>
            }
            facts={<Name className="break-words">{windowTimes(window)}</Name>}
          >
            {window.reason ? <Name className="text-sm break-words">{window.reason}</Name> : null}
          </RecordRow>
        ))}
      </RecordList>
      {shown.length < windows.length ? (
        <div className="border-t border-line px-4 py-3">
          <Button onClick={() => setAll(true)}>{`Show all ${windows.length} windows`}</Button>
        </div>
      ) : null}
    </>
  );
}

/** In the form: what the windows are that the rule has now. */
function SavedWindows({ rule }: { rule: DeploymentRule }) {
  return (
    <section aria-label="Preview" className="overflow-hidden rounded-md border border-line">
      <p className="border-b border-line bg-raised px-4 py-2 text-sm">
        {rule.mode === "disabled"
          ? "The next windows as they are saved. Saving a draft blocks nothing: save to see your changes here."
          : "The next windows as they are saved. To see changes before they apply, disable the rule first."}
      </p>
      <NextWindows rule={rule} limit={5} />
    </section>
  );
}

function BacktestPanel({ revised }: { revised: Revised<DeploymentRule> }) {
  const [isAsked, setAsked] = useState(false);
  return (
    <Panel title={`What it would have blocked in the last ${BACKTEST_DAYS} days`}>
      <div className="p-4">
        {isAsked ? (
          <BacktestResult revised={revised} />
        ) : (
          <Button onClick={() => setAsked(true)}>Evaluate the deployments of the last {BACKTEST_DAYS} days</Button>
        )}
      </div>
    </Panel>
  );
}
