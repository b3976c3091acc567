import { useQuery } from "@tanstack/react-query";
import type { Backtest, BacktestCount, DeploymentRule } from "@versioner/client";

import type { Revised } from "../../api/lists";
import { BACKTEST_DAYS, backtestQuery } from "../../api/rules";
import { AppLink } from "../../components/app-link";
import { Badge, StatusBadge } from "../../components/badge";
import { Name, VersionName } from "../../components/name";
import { WhenLoaded } from "../../components/states";
import { Time } from "../../components/time";
import { CODES } from "../governance/texts";

/** What the rule would have blocked in the last days. */
export function BacktestResult({ revised }: { revised: Revised<DeploymentRule> }) {
  const query = useQuery(backtestQuery(revised));
  return (
    <WhenLoaded query={query} skeletons={3}>
      {(result) => <Result result={result} />}
    </WhenLoaded>
  );
}

const starts = (count: number) => (count === 1 ? "1 deployment" : `${count} deployments`);

function Result({ result }: { result: Backtest }) {
  const { evaluated, would_block: blocked, unknown, truncated, by_product, by_environment, items } = result;
  return (
    <section aria-label="What the rule would have blocked" className="flex flex-col gap-3">
      <p className="flex flex-wrap items-center gap-2">
        {blocked > 0 ? (
          <Badge tone="bad" glyph="⊘">
            {`${blocked} blocked`}
          </Badge>
        ) : (
          <Badge tone="good" glyph="✓">
            none blocked
          </Badge>
        )}
        {`Of ${starts(evaluated)} that started in the last ${BACKTEST_DAYS} days, it would have blocked ${blocked}.`}
      </p>
      {unknown > 0 ? (
        <p className="text-sm text-muted">
          {`${starts(unknown)} started before the account recorded approvals: whether they had them is unknown.`}
        </p>
      ) : null}
      {truncated ? <p className="text-sm text-warn">There were too many to evaluate: these are the newest.</p> : null}
      {blocked > 0 ? (
        <>
          <div className="grid gap-3 sm:grid-cols-2">
            <Counts title="By product" counts={by_product} />
            <Counts title="By environment" counts={by_environment} />
          </div>
          <ol
            aria-label="Deployments that it would have blocked"
            className="divide-y divide-line rounded-md border border-line"
          >
            {items.map((item) => (
              <li key={item.deployment_id} className="flex flex-col gap-0.5 px-3 py-2">
                <span className="flex flex-wrap items-center gap-x-2">
                  <AppLink
                    to={`/deployments/${item.deployment_id}`}
                    className="min-h-6 min-w-0 rounded text-accent hover:underline"
                  >
                    <Name>{item.product}</Name> <VersionName>{item.version}</VersionName>
                  </AppLink>
                  <span className="min-w-0">
                    to <Name>{item.environment}</Name>
                  </span>
                  <StatusBadge status={item.status} />
                  <Time at={item.at} className="text-sm text-muted" />
                </span>
                <span className="text-sm text-muted">
                  {`${CODES[item.code]}: `}
                  <Name className="break-words">{item.message}</Name>
                </span>
              </li>
            ))}
          </ol>
          {blocked > items.length ? (
            <p className="text-sm text-muted">{`The newest ${items.length} of ${blocked} are listed.`}</p>
          ) : null}
        </>
      ) : null}
    </section>
  );
}

/** How many counts are shown. */
const COUNTS = 8;

function Counts({ title, counts }: { title: string; counts: readonly BacktestCount[] }) {
  const blocked = counts.filter(({ would_block: count }) => count > 0).sort((a, b) => b.would_block - a.would_block);
  return (
    <div className="min-w-0">
      <h3 className="text-sm font-medium">{title}</h3>
      <dl className="text-sm">
        {blocked.slice(0, COUNTS).map(({ id, name, evaluated, would_block: count }) => (
          <div key={id} className="flex justify-between gap-3">
            <dt className="min-w-0">
              <Name cut>{name}</Name>
            </dt>
            <dd className="whitespace-nowrap text-muted">{`${count} of ${evaluated}`}</dd>
          </div>
        ))}
      </dl>
      {blocked.length > COUNTS ? <p className="text-sm text-muted">{`and ${blocked.length - COUNTS} more`}</p> : null}
    </div>
  );
}
