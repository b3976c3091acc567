import type { EnvironmentState } from "@versioner/client";

import { cellState, STATE_LABELS, stateText } from "../pages/environments/cell-state";
import { AppLink } from "./app-link";
import { Badge } from "./badge";
import { Name, VersionName } from "./name";
import { Cell, Row, Table } from "./table";
import { Time } from "./time";

/** What runs where: a row for each product and environment, by the name of what differs between them. */
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
        { title: "State", className: "w-40", from: "sm" },
        { title: "Since", className: "w-28", from: "sm" },
        { title: "By", from: "lg" },
      ]}
    >
      {states.map((state) => (
        <StateRow key={`${state.product_id} ${state.environment_id}`} state={state} by={by} />
      ))}
    </Table>
  );
}

function StateBadge({ state }: { state: EnvironmentState }) {
  const word = cellState(state);
  const { tone, glyph } = STATE_LABELS[word];
  return (
    <Badge tone={tone} glyph={glyph}>
      {stateText(state, word)}
    </Badge>
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
        <span className="flex flex-wrap items-center gap-x-2 text-sm text-muted sm:hidden">
          <StateBadge state={state} />
          {state.since ? <Time at={state.since} /> : null}
        </span>
      </Cell>
      <Cell from="sm">
        <StateBadge state={state} />
      </Cell>
      <Cell from="sm" className="text-sm text-muted">
        <Time at={state.since} />
      </Cell>
      <Cell from="lg" className="text-muted">
        {who ? <Name cut>{who}</Name> : "–"}
      </Cell>
    </Row>
  );
}
