import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { Environment } from "@versioner/client";

import { environmentQuery, stateOfEnvironmentQuery } from "../../api/environments";
import type { Revised } from "../../api/lists";
import { AppLink } from "../../components/app-link";
import { Badge } from "../../components/badge";
import { buttonClass } from "../../components/button";
import { Loaded } from "../../components/loaded";
import { ObjectList } from "../../components/object-list";
import { Panel } from "../../components/page";
import { StateTable } from "../../components/state-table";
import { EmptyState } from "../../components/states";
import { ObjectPage } from "../../forms/object-page";
import { useRouteId } from "../../lib/route";
import { TYPE_NAMES } from "../environments/matrix-data";
import { environmentEditing } from "./environment-form";

/** One environment: its type, and what runs there. */
export default function EnvironmentPage() {
  const query = useQuery(environmentQuery(useRouteId()));
  return (
    <Loaded query={query} kind="Environment" list="/environments">
      {(revised) => <Content revised={revised} />}
    </Loaded>
  );
}

function Content({ revised }: { revised: Revised<Environment> }) {
  const { id, name, type, metadata, extra_metadata } = revised.object;
  const state = useInfiniteQuery(stateOfEnvironmentQuery(id));
  return (
    <ObjectPage
      revised={revised}
      list={{ to: "/environments", label: "Environments" }}
      trail={
        <Badge tone="neutral" glyph="▸">
          {TYPE_NAMES[type]}
        </Badge>
      }
      editing={environmentEditing}
      permission="environments.write"
      changes="edit or delete environments"
      actions={
        <AppLink to="/deployments" search={{ environment: name }} className={buttonClass()}>
          Deployments
        </AppLink>
      }
      metadata={{ ...extra_metadata, ...metadata }}
      script={{ path: "/environment-state/", query: { environment: name } }}
    >
      <Panel title="Products">
        <ObjectList query={state} noun="products" empty={<EmptyState title="Nothing has been deployed here yet" />}>
          {(states, isDimmed) => <StateTable states={states} by="product" isDimmed={isDimmed} />}
        </ObjectList>
      </Panel>
    </ObjectPage>
  );
}
