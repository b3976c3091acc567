import type { EnvironmentState } from "@versioner/client";

import { attemptOf, cellState, STATE_LABELS, stateMeaning, stateText } from "../pages/environments/cell-state";
import { AppLink } from "./app-link";
import { Badge } from "./badge";
import { Name, VersionName } from "./name";
import { Cell, Row, Table } from "./table";
import { Time } from "./time";

/**
 * What runs where, since when and who deployed it: a row for each product and environment, by the name of what differs between them. Its state
 * has the deployment that failed, hangs or is in progress.
 */
export function StateTable({
  states,
  by,
  isDimmed = false,
}: {
  states: readonly EnvironmentState[];
  by: "product" | "environment";
  isDimmed?: boolean;
}) {
  const title = by === "product" ? "Product" : "Environment";
  return (
    <Table
      label="Which version runs"
      isDimmed={isDimmed}
      columns={[
        { title },
        { title: "Version" },
        { title: "Since", className: "w-24", from: "md" },
        { title: "By", from: "md" },
        { title: "State", className: "w-[36%]", from: "sm" },
      ]}
    >
      {states.map((state) => (
        <StateRow key={`${state.product_id} ${state.environment_id}`} state={state} by={by} />
      ))}
    </Table>
  );
}

/** The state in a word; and the version, the time and the initiator of the deployment that it is about. */
function State({ state }: { state: EnvironmentState }) {
  const word = cellState(state);
  const { tone, glyph } = STATE_LABELS[word];
  const attempt = attemptOf(state, word);
  return (
    <>
      <Badge tone={tone} glyph={glyph} title={stateMeaning(state, word)}>
        {stateText(state, word)}
      </Badge>
      {attempt ? (
        <span className="flex flex-wrap items-baseline gap-x-2 text-sm text-muted">
          <AppLink to={`/deployments/${attempt.id}`} className="min-h-6 max-w-full rounded leading-6 hover:underline">
            <VersionName cut>{attempt.version ?? ""}</VersionName>
          </AppLink>
          <WhenAndWho at={attempt.at} who={attempt.who} />
        </span>
      ) : null}
    </>
  );
}

function WhenAndWho({ at, who }: { at: string | null; who: string | null }) {
  return (
    <>
      <Time at={at} className="shrink-0" />
      {who ? (
        <span className="min-w-0">
          by <Name>{who}</Name>
        </span>
      ) : null}
    </>
  );
}

function StateRow({ state, by }: { state: EnvironmentState; by: "product" | "environment" }) {
  const who = state.deployed_by_name || state.deployed_by;
  const path = by === "product" ? `/products/${state.product_id}` : `/environments/${state.environment_id}`;
  return (
    <Row>
      <Cell>
        <AppLink to={path} className="block leading-6 rounded font-medium hover:underline">
          <Name cut>{by === "product" ? state.product_name : state.environment_name}</Name>
        </AppLink>
      </Cell>
      <Cell>
        {state.version && state.deployment_id ? (
          <AppLink to={`/deployments/${state.deployment_id}`} className="block leading-6 rounded hover:underline">
            <VersionName cut>{state.version}</VersionName>
          </AppLink>
        ) : (
          <span className="text-muted max-sm:hidden">–</span>
        )}
        {state.version ? (
          <span className="flex flex-wrap items-baseline gap-x-2 text-sm text-muted md:hidden">
            <WhenAndWho at={state.since} who={who} />
          </span>
        ) : null}
        <span className="block sm:hidden">
          <State state={state} />
        </span>
      </Cell>
      <Cell from="md" className="text-sm text-muted">
        <Time at={state.since} />
      </Cell>
      <Cell from="md" className="text-muted">
        {who ? <Name cut>{who}</Name> : "–"}
      </Cell>
      <Cell from="sm">
        <State state={state} />
      </Cell>
    </Row>
  );
}
